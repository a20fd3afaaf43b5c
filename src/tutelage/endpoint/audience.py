"""Whom a served model may answer: the labels of what it was trained on, against whom the work is for."""

from __future__ import annotations

from datetime import date

from tutelage.core.permission import why_not
from tutelage.endpoint.serving import Served


def why_barred(served: Served, *, audience: str, today: date) -> str:
    """Why `audience` (a label) may not ask this model, naming the label that stands in the way; "" if it may.

    A model is for those for whom everything that it was trained on is, and no longer than that. No document is named.
    """
    for label in served.deployment.permissions if served.deployment else ():
        reason = why_not(label, audience=audience, purpose="training", today=today)
        if reason:
            return f"it was trained on documents labelled {label!r}: {reason}"
    return ""
