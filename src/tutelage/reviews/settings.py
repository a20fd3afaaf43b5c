"""What may be asked of the reviews: nothing yet. Two persons and their texts decide, and no recipe can switch that off."""

from tutelage.core.settings import Settings


class ReviewsSettings(Settings):
    """How approved drafts leave the desk. There is nothing to set: each approval is written, once, as it was approved."""
