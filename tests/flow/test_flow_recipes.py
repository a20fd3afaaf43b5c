"""Every shipped recipe runs as it stands up to its training, on small sources and a tiny base; together they show each method and task."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from small_contracts import PARTIES, SENTENCES, write_contracts
from tiny_families import make_tiny
from tiny_model import make_tiny_model

from tutelage.pipeline.conduct import make
from tutelage.pipeline.recipe import load_recipe
from tutelage.training.settings import TrainingSettings

RECIPES = Path(__file__).parents[2] / "recipes"
NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))
SHORT = ("dataset.held_out=6", "dataset.validation=4", "scores.held_out=6", "training.maximum_steps=4", "training.validate_every=2",
         "training.checkpoint_every=2", "training.warmup_steps=1", "training.threads=1")
OF_TINY = {"last-layers": ["training.last_layers=1"], "distil": ["training.student_layers=1"], "pretrain": ["training.maximum_tokens=256"],
           "classify": ["dataset.validation=12", "training.learning_rate=3e-4", "training.maximum_steps=12"]}
WORDS = sorted({word.strip(".,") for texts in SENTENCES.values() for text in texts for word in text.split() if "{" not in word})
# Articles whose type rules cannot tell are left out.
TYPED = ("保密义务\n双方对商业秘密和保密信息承担保密义务，不得泄露。", "付款\n应当自收到发票之日起支付价款，逾期付款的支付利息。",
         "违约责任\n违约方应当承担违约责任，赔偿损失，支付违约金。", "争议解决\n发生争议的，向人民法院起诉或者申请仲裁。")
CHARACTERS = sorted(set("土地转让船舶抵押企业设立房屋租赁商标许可登记申请材料真实性负责主管部门受理决定书面告知理由不服行政复议诉讼"))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """The recipes, whose packaged source is a folder of small contracts, beside the data that two of them ask for."""
    folder = tmp_path_factory.mktemp("shipped")
    write_contracts(folder / "contracts")
    (folder / "recipes").mkdir()
    for name in NAMES:
        shipped = (RECIPES / f"{name}.yaml").read_text("utf-8")
        source = "../texts" if name == "pretrain" else "../contracts"  # clauses of the contracts resemble each other
        (folder / "recipes" / f"{name}.yaml").write_text(shipped.replace("package:licensedcode", source), "utf-8")
    (folder / "recipes" / "samples").symlink_to(RECIPES / "samples")
    contracts = write_contracts(folder / "data" / "cuad" / "contracts")
    clauses = [{"contract": path.name, "category": "Governing Law", "clause": f"This agreement of {party} is governed by the laws of the "
                f"place where {party} has its main office, and by no others."} for path, party in zip(contracts, PARTIES, strict=False)]
    write_lines(folder / "data" / "cuad" / "clauses.jsonl", clauses)
    write_lines(folder / "data" / "zh_statutes" / "articles.jsonl",
                [{"law": f"《第{number}号条例》", "text": f"第{number + 1}条　{TYPED[number % 4]}{text}"}
                 for number, text in enumerate(jumbled(CHARACTERS, "", "。", 30))])
    (folder / "texts").mkdir()
    for number, text in enumerate(jumbled(WORDS, " ", ".", 24)):
        (folder / "texts" / f"{number}.txt").write_text(text, "utf-8")
    make_tiny_model(folder / "decoder")
    make_tiny("bert", folder / "encoder")
    return folder


def jumbled(words: Sequence[str], between: str, stop: str, count: int) -> list[str]:
    """Texts of eight sentences whose words are in an order that no other text has: none resembles another."""
    draw = random.Random(count)
    return [between.join(between.join(draw.sample(words, 14)) + stop for _ in range(8)) for _ in range(count)]


def write_lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def test_there_is_a_recipe_for_each_method_and_each_task():
    assert len(NAMES) >= 16
    shipped = [load_recipe(RECIPES / f"{name}.yaml").recipe.training for name in NAMES]
    for setting in ("method", "task"):
        assert {getattr(training, setting) for training in shipped} == set(get_args(TrainingSettings.model_fields[setting].annotation))


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_recipe_trains(place, name):
    if name == "qlora":
        pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed: pip install tutelage[qlora]")
    base = place / ("encoder" if name == "classify" else "decoder")
    changes = [*SHORT, f"training.base={base}", *OF_TINY.get(name, [])]
    loaded = load_recipe(place / "recipes" / f"{name}.yaml", changes=changes)
    made = make(loaded, place / "work", until="training").artifacts["training"]
    summary = json.loads(made.file("training.json").read_text("utf-8"))
    assert (summary["task"], summary["method"]) == (loaded.recipe.training.task, loaded.recipe.training.method)
    assert 1 <= summary["steps"] <= loaded.recipe.training.maximum_steps
    assert summary["proof"]["tuned_loss"] < summary["proof"]["base_loss"]
