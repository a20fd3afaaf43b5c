"""What may be asked of the reviews: how many people a label needs. That two decide on a draft, no recipe can switch off."""

from typing import Literal

from tutelage.core.settings import Settings


class ReviewsSettings(Settings):
    """How labels are confirmed. Approved drafts leave nothing to set: each is written, once, as two people agreed on it."""

    labels_needed: Literal[1, 2] = 2
    """How many people must give a clause the same type before the dataset takes it: 2, or 1 where nobody else has the time. With 1
    there is no agreement to show."""
