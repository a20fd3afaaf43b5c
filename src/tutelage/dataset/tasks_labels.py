"""What a label of a source calls a clause, as a clause type of ours where there is one."""

from __future__ import annotations

import re
from functools import cache

from tutelage.text.clause_types import CLAUSE_TYPES

_APART = re.compile(r"[\W_]+")
_FILLING = re.compile(r"(?<=.)( clauses?| provisions?|条款)$")

# Names in other collections, CUAD's among them.
OTHER_NAMES = {
    "affiliate license licensee": "license_grant",
    "affiliate license licensor": "license_grant",
    "anti assignment": "assignment",
    "audit rights": "audit",
    "cap on liability": "limitation_of_liability",
    "choice of law": "governing_law",
    "competitive restriction exception": "non_compete",
    "covenant not to compete": "non_compete",
    "expiration date": "term",
    "indemnities": "indemnification",
    "ip ownership assignment": "intellectual_property",
    "irrevocable or perpetual license": "license_grant",
    "joint ip ownership": "intellectual_property",
    "no solicit of customers": "non_solicitation",
    "no solicit of employees": "non_solicitation",
    "non transferable license": "license_grant",
    "payment": "fees_payment",
    "renewal term": "term",
    "source code escrow": "source_code",
    "termination for convenience": "termination",
    "uncapped liability": "limitation_of_liability",
    "unlimited all you can eat license": "license_grant",
    "warranties": "warranty",
    "warranty duration": "warranty",
}


def type_of_label(label: str) -> str:
    """The key of the clause type that a label means: one of ours where its key, a name in either language or a known other name
    says so. Another label becomes a key of its own: its words, joined by underscores. "" for a label without letter or digit.
    """
    words = _words(label)
    short = _FILLING.sub("", words)
    known = next((key for name in (words, short) if (key := _names().get(name) or OTHER_NAMES.get(name))), None)
    return known or words.replace(" ", "_")


def _words(name: str) -> str:
    return _APART.sub(" ", name.lower()).strip()


@cache
def _names() -> dict[str, str]:
    return {_words(name): key for key, kind in CLAUSE_TYPES.items() for name in (key, kind.en, kind.zh)}
