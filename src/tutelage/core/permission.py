"""Who may use a source and all that is made from it: a label that rows, datasets, runs, models and library clauses inherit."""

from __future__ import annotations

from datetime import date
from typing import Literal, get_args

from pydantic import Field, ValidationError

from tutelage.core.errors import InputError
from tutelage.core.settings import Settings

Purpose = Literal["training", "library"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
EVERYONE = "everyone"
PARTS = {"client": "client", "matter": "matter", "only": "purposes", "until": "expires"}
NAME = r"^[A-Za-z0-9\u4e00-\u9fff._-]*$"


class Permission(Settings):
    """Who may use a source, for what, and until when. All left out: everyone, for everything, for ever."""

    client: str = Field(default="", pattern=NAME)
    """Only models and libraries for this client may use it. Letters (Latin or Chinese), digits, dot, dash, underscore."""

    matter: str = Field(default="", pattern=NAME)
    """Only this matter of the client."""

    purposes: tuple[Purpose, ...] = Field(default=PURPOSES, min_length=1)
    """What it may be used for: training (rows to learn from and to measure with), library (clauses that people find and copy)."""

    expires: date | None = None
    """Last day of use, as 2027-12-31."""

    @property
    def label(self) -> str:
        """The permission in one line, such as "client:acme matter:2024-17 only:training until:2027-12-31"; "everyone" for none."""
        parts = [f"client:{self.client}" if self.client else "", f"matter:{self.matter}" if self.matter else "",
                 f"only:{','.join(self.purposes)}" if set(self.purposes) != set(PURPOSES) else "",
                 f"until:{self.expires.isoformat()}" if self.expires else ""]
        return " ".join(part for part in parts if part) or EVERYONE


def parse(label: str) -> Permission:
    """The permission that a label stands for. Raises InputError for another text."""
    if label == EVERYONE:
        return Permission()
    fields: dict[str, object] = {}
    for part in label.split():
        key, _, value = part.partition(":")
        if key not in PARTS or not value or PARTS[key] in fields:
            raise _not_understood(label, part)
        fields[PARTS[key]] = tuple(value.split(",")) if key == "only" else value
    try:
        return Permission.model_validate(fields)
    except ValidationError as error:
        keys = {name: key for key, name in PARTS.items()}
        raise _not_understood(label, f"{keys[str(error.errors()[0]['loc'][0])]}:...") from None


def _not_understood(label: str, part: str) -> InputError:
    return InputError(f"permission {label!r}: {part!r} is not understood. Write `everyone`, or client:NAME, matter:NAME, only:training or "
                      "only:library, until:YYYY-MM-DD, separated by spaces.")


def checked_label(label: str) -> str:
    """The label, if it is one ("" included). Raises ValueError, so that settings can check with it."""
    try:
        return parse(label).label if label else ""
    except InputError as error:
        raise ValueError(str(error)) from None


def inherited(*labels: str) -> str:
    """The label of what is made from all of these, which one audience may use together: their client and matter, the purposes that all
    allow (if there is none, library: what nobody may train on is not trained on), and the earliest end.
    """
    given = [parse(label) for label in labels]
    return Permission(
        client=next((one.client for one in given if one.client), ""), matter=next((one.matter for one in given if one.matter), ""),
        purposes=tuple(purpose for purpose in PURPOSES if all(purpose in one.purposes for one in given)) or ("library",),
        expires=min((one.expires for one in given if one.expires), default=None)).label


def why_not(label: str, *, audience: str, purpose: Purpose, today: date) -> str:
    """Why something of this label may not be used for `purpose` by `audience` (a label as well); "" if it may.

    What is for everyone suits any audience; what is for a client suits that client, and what is for a matter that matter only.
    """
    permission, asked = parse(label), parse(audience)
    if permission.client and permission.client != asked.client:
        return f"it is for client {permission.client} only, and the audience is {audience}"
    if permission.matter and permission.matter != asked.matter:
        return f"it is for matter {permission.matter} only, and the audience is {audience}"
    if purpose not in permission.purposes:
        return f"it may be used for {', '.join(permission.purposes)} only, not for {purpose}"
    if permission.expires and today > permission.expires:
        return f"its permission ended on {permission.expires.isoformat()}"
    return ""
