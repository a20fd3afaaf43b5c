"""What the desk refuses, told in English by `str` and in any language of the catalogue by `told`."""

from __future__ import annotations

from tutelage.core.errors import InputError, ServiceUnavailable
from tutelage.core.language import tell_failure, text


class DeskError(InputError):
    """The desk refused an action; nothing was changed."""

    def __init__(self, key: str, **facts: str | int) -> None:
        super().__init__(text(key, "en", **facts))
        self.texts = ((key, facts),)

    def told(self, language: str) -> str:
        """The message in `language`, for a page."""
        return tell_failure(self, language)


class NotFound(DeskError):
    """There is no user, draft or key of that name or number."""


class NotAllowed(DeskError):
    """This person may not do that: the role, the author or the second pair of eyes forbids it."""


class WrongState(DeskError):
    """The draft is in a state in which that cannot be done."""


class StaleDraft(DeskError):
    """Somebody changed the draft in between; nothing was overwritten."""


class ChainBroken(DeskError):
    """The audit chain does not hold: a row was changed, added or removed past the desk."""


class DeskBusy(ServiceUnavailable):
    """Another process kept the desk locked for longer than the busy timeout; nothing was changed."""
