"""What may be asked of the reviews."""

from pydantic import Field

from tutelage.core.settings import Settings


class ReviewsSettings(Settings):
    """How approved drafts leave the desk."""

    permissions: tuple[str, ...] = Field(default=("everyone",), min_length=1)
    """Who may use the approved rows, and all that is made from them; labels that the artifacts carry on."""
