"""Real rows for the benchmark of augmentation: CUAD clauses and Chinese contract law, and a second look at what the gate let through."""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from tutelage.core.files import short_hash
from tutelage.core.records import Example, Language, Message, Part
from tutelage.prompts.clause import clause_messages
from tutelage.text.clause_types import CLAUSE_TYPES, type_of
from tutelage.text.keywords import keywords
from tutelage.text.leaks import BOILERPLATE_DOCUMENTS, find_leaks
from tutelage.text.similarity import Shingles, boilerplate_runs

DATA = Path(os.environ.get("TUTELAGE_DATA", ""))
SHORTEST, LONGEST = 90, 700
CONTRACTS_ZH = "民法典 合同编"
# CUAD's categories by our types; the category itself is kept as the heading, and is what the classifier learns.
TYPES = {
    "License Grant": "license_grant", "Audit Rights": "audit", "Cap On Liability": "limitation_of_liability",
    "Anti-Assignment": "assignment",
    "Insurance": "insurance", "Governing Law": "governing_law", "Expiration Date": "term", "Exclusivity": "restrictions",
    "Revenue/Profit Sharing": "fees_payment", "Post-Termination Services": "survival", "Minimum Commitment": "fees_payment",
    "Rofr/Rofo/Rofn": "restrictions", "Non-Transferable License": "license_grant", "Ip Ownership Assignment": "intellectual_property",
    "Non-Compete": "non_compete", "Termination For Convenience": "termination", "Change Of Control": "assignment", "Renewal Term": "term",
    "Warranty Duration": "warranty", "Volume Restriction": "restrictions", "Covenant Not To Sue": "waiver",
    "Uncapped Liability": "limitation_of_liability", "Irrevocable Or Perpetual License": "license_grant",
    "Notice Period To Terminate Renewal": "notices", "Liquidated Damages": "breach"}
NUMBER_WORDS = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
                "twelve": "12", "fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60",
                "ninety": "90"}
DIGITS = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
WORD_OF_NUMBER = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b(?!-)")
SIGNS: dict[Language, dict[str, re.Pattern[str]]] = {
    "en": {"denial": re.compile(r"\b(?:not|no|nor|neither|never|none|without|cannot)\b|n't\b", re.IGNORECASE),
           "ban": re.compile(r"\b(?:(?:shall|must|will|may|can) not|cannot)\b", re.IGNORECASE),
           "duty": re.compile(r"\b(?:shall|must|will)\b(?! not\b)", re.IGNORECASE),
           "freedom": re.compile(r"\b(?:may|can)\b(?! not\b| \d)")},
    "zh": {"denial": re.compile("不(?!同|断|动产|可抗力|仅|但|论|管)|未(?!来|成年)|没有|无(?!论|形|偿|线)"),
           "duty": re.compile("(?<![不响相反适对供])应(?![用付收对急诉变])|必须|需(?![要求])"), "freedom": re.compile("(?<!不)可以|有权")}}


def make_row(text: str, clause_type: str, language: Language, document: str, heading: str, part: Part) -> Example:
    """A drafting row as the dataset makes it."""
    words = keywords(text, language, apart_from=CLAUSE_TYPES[clause_type].name(language))
    prompt = clause_messages(clause_type, words, language)
    row_id = short_hash(document, heading, text)
    return Example(id=row_id, messages=(*prompt, Message(role="assistant", content=text)), clause_type=clause_type, keywords=words,
                   language=language, heading=heading, document_id=document, source="CUAD v1" if language == "en" else "zh_statutes",
                   start=0, end=0, family=row_id, part=part, unit=document)


def cuad_rows() -> tuple[list[Example], list[Example], Shingles]:
    """CUAD's clauses of 25 categories, one of each text: training rows, held-out rows (four contracts of ten), common runs.

    No training row gives a held-out row away, by the rules of the dataset.
    """
    rows: dict[str, Example] = {}
    for name in ("clauses.part1.jsonl", "clauses.part2.jsonl"):
        for line in (DATA / "cuad" / name).read_text("utf-8").splitlines():
            found = json.loads(line)
            text = found["clause"].strip()
            if found["category"] in TYPES and SHORTEST <= len(text) <= LONGEST and text[0].isupper() and text[-1] in ".;":
                part: Part = "held_out" if int(short_hash("part", found["contract"]), 16) % 10 < 4 else "train"
                rows.setdefault(text.lower(), make_row(text, TYPES[found["category"]], "en", found["contract"], found["category"], part))
    chosen = list(rows.values())
    train, held_out = ([row for row in chosen if row.part == part] for part in ("train", "held_out"))
    languages = ["en"] * len(chosen)
    common = boilerplate_runs([row.text for row in chosen], languages, [row.unit for row in chosen], at_least=BOILERPLATE_DOCUMENTS)
    leaks = find_leaks([row.text for row in train], languages[:len(train)], [row.text for row in held_out], languages[:len(held_out)],
                       common)
    leaking = {leak.row for leak in leaks}
    return [row for place, row in enumerate(train) if place not in leaking], held_out, common


def chinese_rows() -> list[Example]:
    """Articles of Chinese statutes, those of the Civil Code on contracts with CONTRACTS_ZH as their heading.

    They are what Chinese text of duties, periods and parties is at hand in some number.
    """
    rows = []
    for line in (DATA / "zh_statutes" / "articles.jsonl").read_text("utf-8").splitlines():
        found = json.loads(line)
        text = found["text"].strip()
        if SHORTEST // 2 <= len(text) <= LONGEST // 2:
            heading = CONTRACTS_ZH if found["law"].endswith(CONTRACTS_ZH) else ""
            rows.append(make_row(text, type_of("", text, "zh") or "breach", "zh", found["file"], heading, "train"))
    return rows


def drawn(rows: Sequence[Example], count: int, seed: str = "draw") -> list[Example]:
    """So many rows, by hash: the same in every run."""
    return sorted(rows, key=lambda row: short_hash(seed, row.id))[:count]


def few_of_each(rows: Sequence[Example], count: int, seed: str) -> list[Example]:
    """So many rows of each category at most."""
    taken: Counter[str] = Counter()
    chosen = []
    for row in drawn(rows, len(rows), seed):
        taken[row.heading] += 1
        if taken[row.heading] <= count:
            chosen.append(row)
    return chosen


def violations(new: Sequence[Example], parents: Sequence[Example], held_out: Sequence[Example]) -> list[str]:
    """What is wrong with accepted rows, told by other means than the gate: plain sets and counts, nothing of its code."""
    by_id = {row.id: row for row in parents}
    held_sets = defaultdict(list)
    for row in held_out:
        held_sets[row.language].append(_plain_shingles(row.text, row.language))
    found = []
    for row in new:
        parent = by_id[row.parent]
        mine, theirs = _plain_shingles(row.text, row.language), _plain_shingles(parent.text, row.language)
        wrong = [name for name, sign in SIGNS[row.language].items() if len(sign.findall(row.text)) != len(sign.findall(parent.text))]
        if row.method == "swap":
            wrong += [] if len(DIGITS.findall(row.text)) == len(DIGITS.findall(parent.text)) else ["count of numbers"]
        elif _numbers(row.text) != _numbers(parent.text):
            wrong.append("numbers")
        if not 0.5 <= len(row.text) / len(parent.text) <= 2:
            wrong.append("length")
        if _share(mine, theirs) >= 0.95:
            wrong.append("unchanged")
        if any(_share(mine, other) >= 0.5 for other in held_sets[row.language]):
            wrong.append("held out")
        if (len(re.findall("[\u4e00-\u9fff]", row.text)) > len(row.text) / 2) != (row.language == "zh"):
            wrong.append("language")
        found += [f"{row.id} ({row.method}): {', '.join(wrong)}"] if wrong else []
    return found


def _numbers(text: str) -> set[float]:
    return {float(digits.replace(",", "")) for digits in DIGITS.findall(text)} | {
        float(NUMBER_WORDS[word]) for word in WORD_OF_NUMBER.findall(text.lower())}


def _plain_shingles(text: str, language: Language) -> set[tuple[str, ...]]:
    tokens = [letter for letter in text if not letter.isspace()] if language == "zh" else re.findall(r"[^\W_]+", text.lower())
    width = min(len(tokens), 4 if language == "zh" else 5)
    return {tuple(tokens[at:at + width]) for at in range(len(tokens) - width + 1)}


def _share(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> float:
    return len(a & b) / len(a | b)
