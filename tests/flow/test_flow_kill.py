"""kill -9 in documents, dataset, training and model: run again, and the same artifacts and the same weights come out."""

import hashlib
import json
import subprocess
from pathlib import Path

from small_flow import command, kill_when, write_flow

STAGES = ("documents", "dataset", "training", "model")


def made(work: Path) -> dict[str, str]:
    """Ids of the finished artifacts, and the hash of the final weights."""
    ids = {stage: ",".join(sorted(path.name for path in (work / stage).glob("[!.]*"))) for stage in STAGES}
    weights = next(work.glob("training/*/adapter/adapter_model.safetensors")).read_bytes()
    merged = next(work.glob("model/*/merged/model.safetensors")).read_bytes()
    return ids | {"weights": hashlib.sha256(weights).hexdigest(), "merged": hashlib.sha256(merged).hexdigest()}


def test_a_run_killed_in_every_stage_ends_as_an_undisturbed_one(tmp_path):
    recipe = write_flow(tmp_path)
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    subprocess.run(command("make", str(recipe), "--until", "model", "--work", str(calm)), check=True, capture_output=True)
    words = command("make", str(recipe), "--until", "model", "--work", str(killed))
    for stage, kind in (("documents", "started"), ("dataset", "started"), ("training", "step"), ("model", "started")):
        assert kill_when(words, killed, stage=stage, kind=kind), f"{stage} ended before it could be killed"
        assert not list(killed.glob(f"{stage}/[!.]*")), f"{stage} left something half-made"
    subprocess.run(words, check=True, capture_output=True)
    assert made(killed) == made(calm)
    leftovers = [path.name for stage in STAGES for path in (killed / stage).glob(".*")]
    assert leftovers == []
    assert json.loads(next(killed.glob("training/*/training.json")).read_text())["steps"] == 6
