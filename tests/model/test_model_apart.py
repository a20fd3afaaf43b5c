"""What was learned is left apart: the copy that is measured, scored and served is an adapter on a base copy that models share."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_stage import run_model
from pydantic import ValidationError
from tiny_adapter import make_adapter

from tutelage.core.chat import CHATML
from tutelage.core.errors import ArtifactError
from tutelage.core.files import file_sha256
from tutelage.core.records import Deployment, GateDecision
from tutelage.endpoint.make import find_gguf
from tutelage.endpoint.serving import check_deployment
from tutelage.engine.gguf_adapter import parts_of
from tutelage.model.parity import Evidence
from tutelage.model.settings import ModelSettings

OPEN = GateDecision(is_open=True, verdict="better", candidate="gguf-f16", versus="base", metric="bits_per_byte", n=20, difference=-0.1,
                    low=-0.2, high=-0.05, next_key="run.next_serve")


def test_two_models_apart_have_copies_of_their_own_on_one_base_copy(tiny, examples, tmp_path):
    bases = []
    for seed in (1, 2):
        trained = tmp_path / f"trained{seed}"
        trained.mkdir()
        make_adapter(tiny, trained, seed=seed, scale=0.3)
        work = tmp_path / f"work{seed}"
        artifact = run_model(work, tiny, trained, examples[:12], adapter="apart", quantisation="f16", minimum_agreement=0.9)
        path = artifact.file(find_gguf(artifact))
        assert path.name == "model-f16.gguf"
        evidence = Evidence.model_validate_json(artifact.file("parity.json").read_text("utf-8"))
        assert (evidence.kept.ids_identical, evidence.kept.prompts) == (12, 12)
        assert evidence.kept.argmax_equal >= 11  # the copy answers as base and adapter do, merged in fp32
        parts = parts_of(path)
        assert parts.adapter == path
        assert parts.weights.parent == (work / "base").resolve()
        assert path.stat().st_size < parts.weights.stat().st_size
        bases.append((parts.weights.name, file_sha256(parts.weights)))
    assert bases[0] == bases[1]


def test_what_is_served_of_it_is_the_adapter_and_the_base_copy_that_were_scored(tiny, trained, examples, tmp_path):
    artifact = run_model(tmp_path, tiny, trained, examples[:6], adapter="apart", quantisation="f16", minimum_agreement=0.0)
    path = artifact.file("model-f16.gguf")
    deployment = Deployment(name="drafts", gguf=path.relative_to(tmp_path).as_posix(), gguf_sha256=file_sha256(path),
                            chat_format_hash=CHATML.hash, base="tiny", model_id=artifact.id, scores_id="s1", gate=OPEN,
                            permissions=("everyone",))
    assert check_deployment(deployment, tmp_path, CHATML) == path
    below: Path = parts_of(path).weights
    below.write_bytes(below.read_bytes() + b"more")
    with pytest.raises(ArtifactError, match="is not the base copy on which"):
        check_deployment(deployment, tmp_path, CHATML)


@pytest.mark.parametrize("changed", [{"trim": "vocabulary"}, {"drop_layers": 1}, {"sparsity": "2_of_4"}, {"target": {"megabytes": 9}}])
def test_an_adapter_stands_apart_only_on_a_base_whose_shape_is_whole(changed):
    with pytest.raises(ValidationError, match=f"asks for {next(iter(changed))} and adapter: apart; an adapter stands on a base"):
        ModelSettings.model_validate({"adapter": "apart", **changed})
