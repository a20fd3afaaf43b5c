"""What memory is measured with: how often training truly learned from each row, and the personal data of the sources before masking."""

from __future__ import annotations

import json
from pathlib import Path

from tiny_model import make_tiny_model

from tutelage.core.events import Events
from tutelage.core.files import write_rows
from tutelage.core.records import Example, Message
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store
from tutelage.engine.bases import folder_chat_format
from tutelage.engine.vocabulary import Vocabulary
from tutelage.pipeline.memory import original_personal_data, times_learned
from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.skills import trim_base
from tutelage.pipeline.stages import Site
from tutelage.training.make import make
from tutelage.training.rows import render_row
from tutelage.training.settings import TrainingSettings


def rows() -> list[Example]:
    """Twelve training rows of different lengths, the last one too long, and three to validate with."""
    texts = ["The invoice is final." + " It is paid." * number for number in range(11)] + ["Too long. " * 200, *["It is due."] * 3]
    return [Example.model_validate({
        "id": f"row{number:02d}", "messages": (Message(role="user", content="Write."), Message(role="assistant", content=text)),
        "clause_type": "", "keywords": (), "language": "en", "heading": "", "document_id": "d", "source": "d", "start": 0, "end": 1,
        "family": f"f{number}", "part": "train" if number < 12 else "validation"}) for number, text in enumerate(texts)]


def trained(work: Path, base: Path, steps: int) -> tuple[Artifact, Artifact]:
    store, none = Store(work), {"inputs": {}, "events": Events(), "recipe": "", "version": 1}
    with store.making("dataset", "rows", settings=Settings(), parents={}, **none) as making:
        write_rows(making.folder / "examples.jsonl", rows())
    dataset = store.look_up("dataset", "rows")
    settings = TrainingSettings(base="tiny", rank=4, batch_rows=4, maximum_steps=steps, validate_every=steps, warmup_steps=0,
                                maximum_tokens=256, threads=1, learning_rate=2e-3)
    with store.making("training", f"steps{steps}", settings=settings, parents={"dataset": dataset}, **none) as making:
        make(making, base_folder=lambda: base, trim=trim_base)
    return dataset, store.look_up("training", f"steps{steps}")


def test_the_tokens_that_training_counted_are_those_of_the_rows_that_are_said_to_be_learned(tmp_path):
    base = make_tiny_model(tmp_path / "base")
    dataset, training = trained(tmp_path / "work", base, 5)
    summary = json.loads(training.file("training.json").read_text("utf-8"))
    assert summary["best_step"] == summary["steps"] == 5
    learned = times_learned(dataset, training)
    vocabulary, chat_format = Vocabulary(base), folder_chat_format(base)
    lengths = {row.id: len(render_row(row, chat_format, vocabulary).ids) for row in rows()}
    assert sum(lengths[row] * times for row, times in learned.items()) == summary["tokens"]
    # eleven rows are used; five steps are an epoch of 4 + 4 + 3 rows and two steps of 4 of the next
    assert sum(learned.values()) == 11 + 8
    assert learned["row11"] == 0, "it was dropped as too long"
    assert set(learned) <= {f"row{number:02d}" for number in range(11)}


def test_a_row_that_no_step_reached_was_not_learned(tmp_path):
    dataset, training = trained(tmp_path / "work", make_tiny_model(tmp_path / "base"), 1)
    assert sum(times_learned(dataset, training).values()) == 4


def test_personal_data_is_that_of_the_sources_before_masking(tmp_path):
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "a.txt").write_text("Notices go to Ann.Lee@example.com or +1 617 555 0123. " * 3, "utf-8")
    turns = [{"role": "user", "content": "电话？"}, {"role": "assistant", "content": "请拨打13812345678。"}]
    (tmp_path / "contracts" / "b.jsonl").write_text(json.dumps({"messages": turns}, ensure_ascii=False) + "\n", "utf-8")
    (tmp_path / "r.yaml").write_text("name: r\ndocuments: {sources: [contracts]}\ntraining: {base: tiny}\n", "utf-8")
    known = original_personal_data(Site(load_recipe(tmp_path / "r.yaml"), tmp_path / "work"))
    assert len(known.prints) == 3
    assert known.holds("ann.lee@example.com")
    assert known.holds("13812345678")
    assert not known.holds("[EMAIL_1]")
