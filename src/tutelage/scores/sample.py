"""A blind sample for people: drafts of base and copy mixed, who wrote which kept apart, acceptable or not, with Wilson's interval."""

from __future__ import annotations

import csv
import io
import random
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from tutelage.core.errors import InputError
from tutelage.core.files import short_hash, write_whole
from tutelage.core.records import Example, Record, Verdict
from tutelage.scores import statistics
from tutelage.scores.measure import choose_rows
from tutelage.scores.results import RowMeasure
from tutelage.scores.statistics import Interval

SAMPLES, SHEET, KEY = "samples", "sheet.csv", "key.json"
COLUMNS = ("number", "asked", "draft", "acceptable", "remark")
YES = ("yes", "y", "1", "true", "是", "可", "可以")
NO = ("no", "n", "0", "false", "否", "不", "不可", "不可以")
Decisions = Mapping[tuple[str, str], bool]
FORMULA = ("=", "+", "-", "@", "\t")  # a spreadsheet would run a cell that begins so


class Hidden(Record):
    """What a number of the sheet stands for. `print` is a fingerprint of the draft, so that a changed sheet is noticed."""

    number: int
    row: str
    candidate: str
    print: str


class Key(Record):
    """Who wrote what; nobody who judges should open it before."""

    scores: str
    base: str
    candidate: str
    drafts: tuple[Hidden, ...]


class Share(Record):
    """How many of a candidate's judged drafts were acceptable, with Wilson's interval."""

    candidate: str
    n: int
    acceptable: int
    low: float
    high: float


class Tallied(Record):
    """What people said. The difference is candidate minus base over the clauses whose two drafts were both judged."""

    shares: tuple[Share, ...]
    left: int
    pairs: int
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    verdict: Verdict | None


def write_sample(folder: Path, rows: Mapping[str, Sequence[RowMeasure]], examples: Sequence[Example], *, scores: str, base: str,
                 candidate: str, count: int, seed: int) -> int:
    """Write sheet.csv and key.json with the two drafts of `count` clauses (or of all that were drafted). Gives how many clauses there are.

    Raises InputError if a sheet is there already, or nothing was drafted.
    """
    if (folder / KEY).exists():
        raise InputError(f"{folder / SHEET}: is there already. Fill it in and run `tutelage review tally`, or delete the folder for a new "
                         "one.")
    drafts = {name: {row.row: row.draft for row in rows[name] if row.draft is not None} for name in (base, candidate)}
    both = [row for row in examples if row.id in drafts[base] and row.id in drafts[candidate]]
    if not both:
        raise InputError(f"the scores {scores} hold no drafts of {base} and {candidate}. Make them again with scores.drafts above 0.")
    chosen = choose_rows(both, count, seed)
    mixed = [(row, name) for row in chosen for name in (base, candidate)]
    random.Random(secrets.token_hex(16)).shuffle(mixed)  # not the seed: whoever knows it could tell who wrote what
    hidden = tuple(Hidden(number=number, row=row.id, candidate=name, print=fingerprint(str(drafts[name][row.id])))
                   for number, (row, name) in enumerate(mixed, 1))
    written = io.StringIO()
    sheet = csv.writer(written)
    sheet.writerow(COLUMNS)
    for number, (row, name) in enumerate(mixed, 1):
        sheet.writerow([number, _cell(row.prompt[-1].content), _cell(str(drafts[name][row.id])), "", ""])
    write_whole(folder / SHEET, "\ufeff" + written.getvalue())  # the mark by which a spreadsheet knows UTF-8
    write_whole(folder / KEY, Key(scores=scores, base=base, candidate=candidate, drafts=hidden).model_dump_json(indent=1))
    return len(chosen)


def tally_sample(folder: Path, *, alpha: float = 0.05) -> Tallied:
    """What people marked. Raises InputError for a sheet that was changed elsewhere, a mark that is none, or no mark at all."""
    if not (folder / KEY).is_file() or not (folder / SHEET).is_file():
        raise InputError(f"{folder}: has no {SHEET} with its {KEY}. Make one with `tutelage review sample 20`.")
    key = Key.model_validate_json((folder / KEY).read_text("utf-8"))
    marks = _marks(folder / SHEET, {hidden.number: hidden for hidden in key.drafts})
    judged = {(hidden.row, hidden.candidate): marks[hidden.number] for hidden in key.drafts if hidden.number in marks}
    if not judged:
        raise InputError(f"{folder / SHEET}: nothing is marked yet. Write yes or no into the column `acceptable`.")
    shares = []
    for name in (key.base, key.candidate):
        said = [is_acceptable for (_, candidate), is_acceptable in judged.items() if candidate == name]
        between = statistics.wilson(sum(said), len(said), alpha) if said else Interval(0.0, 1.0)
        shares.append(Share(candidate=name, n=len(said), acceptable=sum(said), low=between.low, high=between.high))
    pairs = [(judged[row, key.candidate], judged[row, key.base]) for row in dict.fromkeys(row for row, _ in judged)
             if (row, key.candidate) in judged and (row, key.base) in judged]
    return Tallied(shares=tuple(shares), left=len(key.drafts) - len(judged), pairs=len(pairs), **_compared(pairs, alpha))


def decisions(work: Path) -> dict[tuple[str, str], bool]:
    """What people marked in all samples under a work folder: whether a draft is acceptable, by its row and fingerprint.

    Drafts are known by their text, so that marks hold for later scores with the same drafts. Of two marks of one draft the later sheet's
    counts. Raises InputError for a sheet that cannot be counted.
    """
    found: dict[tuple[str, str], bool] = {}
    keys = sorted((work / SAMPLES).glob(f"*/{KEY}"), key=lambda path: (path.stat().st_mtime, path.parent.name))
    for path in keys:
        hidden = {one.number: one for one in Key.model_validate_json(path.read_text("utf-8")).drafts}
        if path.with_name(SHEET).is_file():
            found |= {(hidden[number].row, hidden[number].print): said for number, said in _marks(path.with_name(SHEET), hidden).items()}
    return found


def fingerprint(draft: str) -> str:
    """Names a draft as it stands in a sheet."""
    return short_hash(_cell(draft))


def _compared(pairs: Sequence[tuple[bool, bool]], alpha: float) -> dict[str, float | Verdict | None]:
    if not pairs:
        return {"difference": None, "difference_low": None, "difference_high": None, "verdict": None}
    only_candidate, only_base = pairs.count((True, False)), pairs.count((False, True))
    between = statistics.paired_share_interval(pairs.count((True, True)), only_candidate, only_base, pairs.count((False, False)), alpha)
    said = statistics.verdict(between, statistics.mcnemar_p_value(only_candidate, only_base), lower_is_better=False, alpha=alpha)
    return {"difference": (only_candidate - only_base) / len(pairs), "difference_low": between.low, "difference_high": between.high,
            "verdict": said}


def _marks(path: Path, hidden: Mapping[int, Hidden]) -> dict[int, bool]:
    """Marks by number; rows without one are left out."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8. Save it as \"CSV UTF-8\".") from None
    if not rows or not {"number", "draft", "acceptable"} <= rows[0].keys():
        raise InputError(f"{path}: lacks the columns number, draft and acceptable. Save it as CSV with commas, and leave the first line.")
    marks: dict[int, bool] = {}
    for place, row in enumerate(rows, 2):
        number = int(row["number"]) if str(row["number"]).strip().isdigit() else 0
        if number not in hidden or short_hash(str(row["draft"] or "").replace("\r\n", "\n")) != hidden[number].print:
            raise InputError(f"{path}: row {place} (number {row['number']!r}) is none of this sample, or its draft was changed. "
                             "Fill in the sheet that was made with this key.")
        said = str(row["acceptable"] or "").strip().lower()
        if said and said not in YES + NO:
            raise InputError(f"{path}: row {place}: {row['acceptable']!r} is neither yes nor no. Write one of "
                             f"{', '.join(YES[:2] + NO[:2])}, or leave it empty.")
        if said:
            marks[number] = said in YES
    return marks


def _cell(text: str) -> str:
    """A text as a cell: with the line ends of Unix, and not as a formula."""
    plain = text.replace("\r\n", "\n")
    return f"'{plain}" if plain.startswith(FORMULA) else plain
