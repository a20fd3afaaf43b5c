"""The whole demo, from documents to the verdict, in a fresh work folder: minutes, memory, rows, learning, parity.

`make bench NAME=demo`. Options: a work folder to keep (else a temporary one).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import PeakMemory, at_least, at_most, finish

from tutelage.core.files import read_rows
from tutelage.core.records import Example, GateDecision
from tutelage.core.store import Artifact
from tutelage.pipeline.runs import newest_artifact

ROOT = Path(__file__).parents[1]
STAGES = ("documents", "dataset", "training", "model", "scores", "drafting")


def main() -> None:
    """Run the demo once and judge it against the bars."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        command = [sys.executable, "-m", "tutelage", "make", str(ROOT / "recipes" / "demo.yaml"), "--work", str(work)]
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        memory = PeakMemory(process.pid)
        memory.start()
        exit_code = process.wait()
        minutes = (time.monotonic() - started) / 60
        figures: dict[str, object] = {"exit_code": exit_code, "minutes": round(minutes, 2), "peak_memory_gib": memory.stop()}
        started = time.monotonic()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        figures["seconds_second_make"] = round(time.monotonic() - started, 2)
        artifacts = {stage: artifact for stage in STAGES if (artifact := newest_artifact(work, "demo", stage))}
        figures |= {f"seconds_{stage}": artifact.manifest.seconds for stage, artifact in artifacts.items()}
        figures |= read_figures(artifacts)
    finish("demo", figures, [
        at_most("minutes", 15), at_most("peak_memory_gib", 6), at_most("seconds_second_make", 10), at_least("clauses", 838),
        at_least("tokens_per_second", 182), at_least("relative_gain", 0.185), at_most("leak_pairs", 0),
        at_least("parity_ids_share", 1.0), at_least("parity_argmax_share", 0.95)])


def read_figures(artifacts: dict[str, Artifact]) -> dict[str, object]:
    """Figures from the artifacts' own files."""
    def rows(stage: str, name: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in artifacts[stage].file(name).read_text("utf-8").splitlines()]

    training = json.loads(artifacts["training"].file("training.json").read_text("utf-8"))
    evidence = json.loads(artifacts["model"].file("parity.json").read_text("utf-8"))
    parity = evidence["kept"]
    gate = GateDecision.model_validate_json(artifacts["scores"].file("gate.json").read_text("utf-8"))
    examples = rows("dataset", "examples.jsonl")
    bits = {row["candidate"]: row for row in rows("scores", "scores.jsonl") if row["metric"] == "bits_per_byte"}
    base, tuned = bits["base"]["value"], bits["tuned"]["value"]
    assert isinstance(base, float)
    assert isinstance(tuned, float)
    parts = {part: sum(row["part"] == part for row in examples) for part in ("train", "validation", "held_out")}
    return {"clauses": len(examples), "parts": parts,
            "clause_types": len({row["clause_type"] for row in examples}), "documents": artifacts["documents"].manifest.counts,
            "tokens_per_second": training["tokens_per_second"], "steps": training["steps"],
            "bits_per_byte": {name: [row["value"], row["low"], row["high"]] for name, row in bits.items()},
            "held_out": gate.n, "relative_gain": round((base - tuned) / base, 4), "verdict": gate.verdict, "gate_open": gate.is_open,
            "leak_pairs": leak_pairs(artifacts["dataset"]),
            "parity_ids_share": parity["ids_identical"] / parity["prompts"],
            "parity_argmax_share": parity["share"], "copy": parity["quantisation"],
            "refused_copies": {entry["quantisation"]: entry["share"] for entry in evidence["refused"]}}


def leak_pairs(dataset: Artifact) -> int:
    """Rows of training or validation with J >= 0.5 to a held-out row, by plain sets: independent of the code that split them."""
    def runs(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"[^\W_]+", text.lower())
        return {tuple(words[at:at + 5]) for at in range(max(1, len(words) - 4))}

    examples = list(read_rows(dataset.file("examples.jsonl"), Example))
    held_out = [runs(row.text) for row in examples if row.part == "held_out"]
    seen = [runs(row.text) for row in examples if row.part != "held_out"]
    return sum(any(2 * len(mine & theirs) >= len(mine | theirs) for theirs in held_out) for mine in seen)


if __name__ == "__main__":
    main()
