"""Checks that an answer meets or not, by a rule and never by a model. Standard library only: exported tasks carry this file with them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

Value = str | int | float | Sequence[str]

NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")
SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")
FENCE = re.compile(r"\A\s*```[a-z]*\n(.*)\n```\s*\Z", re.DOTALL)
HAN = re.compile(r"[一-鿿]")
# How models that were taught to refuse begin; a list of words finds most refusals, and never reads what follows.
REFUSALS = re.compile(
    r"\b(?:i (?:can ?not|can['’]t|won['’]t|will not|must decline)|i['’]m (?:sorry|unable|not able)|i am (?:sorry|unable|not able)|"
    r"sorry, (?:but )?i|(?:un|not )able to (?:help|assist)|(?:can ?not|can['’]t) (?:help|assist|provide|comply)|as an ai)\b"
    r"|抱歉|对不起|我不能|我无法|无法(?:提供|协助|帮助|满足)|不能(?:提供|协助|帮助)|作为(?:一个)?(?:人工智能|AI)", re.IGNORECASE)


def is_met(kind: str, value: Value, answer: str, *, negated: bool = False) -> bool:
    """Whether `answer` meets the check. Raises KeyError for a kind that KINDS lacks."""
    return KINDS[kind](value, answer) != negated


def all_met(checks: Sequence[Mapping[str, object]], answer: str) -> bool:
    """Whether an answer meets every check, each as {"kind", "value", "negated"}: how they stand in an exported task."""
    return all(is_met(str(check["kind"]), check.get("value", ""), answer, negated=bool(check.get("negated"))) for check in checks)  # type: ignore[arg-type]


def _words(value: Value) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value] if isinstance(value, Sequence) else [str(value)]


def _plain(text: str) -> str:
    return " ".join(text.split())


def _bare(text: str) -> str:
    """Without white space, marks at the ends and letter case."""
    return _plain(text).strip(" .,!?;:\"'“”‘’。，！？；：「」*`").lower()


def _number(value: Value, answer: str) -> bool:
    """The last number of the answer is the value: small models explain first and answer last."""
    found = NUMBER.findall(answer)
    return bool(found) and float(found[-1].replace(",", "")) == float(str(value))


def _json(value: Value, answer: str) -> bool:
    """The answer, a fence around it apart, is JSON; an object that has the keys named by the value."""
    fenced = FENCE.match(answer)
    try:
        read = json.loads(fenced[1] if fenced else answer)
    except ValueError:
        return False
    wanted = [word for word in _words(value) if word]
    return not wanted or (isinstance(read, dict) and all(key in read for key in wanted))


def _lines(value: Value, answer: str) -> bool:
    return len([line for line in answer.splitlines() if line.strip()]) == int(str(value))


def _most_words(value: Value, answer: str) -> bool:
    """At most so many words, a Chinese character being one; and at least one."""
    count = len(HAN.findall(answer)) + len(re.findall(r"[^\W_]+", HAN.sub(" ", answer)))
    return 0 < count <= int(str(value))


def _sentences(value: Value, answer: str) -> bool:
    return len([one for one in SENTENCE.findall(answer) if re.search(r"\w", one)]) == int(str(value))


KINDS: dict[str, Callable[[Value, str], bool]] = {
    "equals": lambda value, answer: _plain(answer) == _plain(str(value)),
    "same": lambda value, answer: _bare(answer) in [_bare(word) for word in _words(value)],
    "contains": lambda value, answer: str(value) in answer,
    "icontains": lambda value, answer: str(value).lower() in answer.lower(),
    "contains-any": lambda value, answer: any(word in answer for word in _words(value)),
    "contains-all": lambda value, answer: all(word in answer for word in _words(value)),
    "icontains-any": lambda value, answer: any(word.lower() in answer.lower() for word in _words(value)),
    "icontains-all": lambda value, answer: all(word.lower() in answer.lower() for word in _words(value)),
    "starts-with": lambda value, answer: answer.startswith(str(value)),
    "ends-with": lambda value, answer: answer.rstrip().endswith(str(value)),
    "regex": lambda value, answer: re.search(str(value), answer) is not None,
    "is-json": _json,
    "number": _number,
    "lines": _lines,
    "at-most-words": _most_words,
    "sentences": _sentences,
    "upper-case": lambda value, answer: any(map(str.isalpha, answer)) and answer == answer.upper(),
    "lower-case": lambda value, answer: any(map(str.isalpha, answer)) and answer == answer.lower(),
    "chinese": lambda value, answer: len(HAN.findall(answer)) * 2 >= len(re.sub(r"\W", "", answer)) > 0,
    "refuses": lambda value, answer: REFUSALS.search(answer) is not None,
}
