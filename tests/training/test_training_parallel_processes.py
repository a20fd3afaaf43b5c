"""Two real processes: they learn what one learns, save the same adapter, end together when one is killed, and go on from there."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import two_processes
from safetensors.torch import load_file
from tiny_model import make_tiny_model
from training_stage import make_dataset, run_training, scratch_of, settings_of, signal_at, small_examples
from two_processes import CASES, GOES_ON, STEPS, figures, train

from tutelage.core.errors import Paused, TutelageError
from tutelage.core.events import Event, Recorder
from tutelage.core.store import Store
from tutelage.training.checkpoint import read_checkpoint, step_of
from tutelage.training.together import TEAMS
from tutelage.training.workers import LOGS

EXACT = 1e-9  # fp64 has 16 digits, and a training of a few steps multiplies an error of the last one by far less than 1e6
CLOSE = 1e-4  # what fp32 leaves of the same
WEIGHTS = "adapter/adapter_model.safetensors"
TWO = {"processes": 2}
pytestmark = pytest.mark.real  # starting processes with torch takes a minute and a half on two cores


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder in which two processes have trained all cases."""
    folder = tmp_path_factory.mktemp("two")
    make_tiny_model(folder / "base")
    for case in CASES:
        (folder / case.name).mkdir()
    train(folder / "base", folder / GOES_ON.name, GOES_ON.method, steps=3, plain=True)
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", two_processes.__file__, str(folder)]
    ended = subprocess.run(words, check=False, capture_output=True, text=True, timeout=400,
                           env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)})
    assert ended.returncode == 0, ended.stderr[-3000:]
    return folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_two_processes_learn_what_one_learns_and_either_goes_on_from_the_other(trained, tmp_path, case):
    plain = TEAMS[case.sharing].plain
    alone = train(trained / "base", tmp_path, case.method, steps=STEPS, plain=plain)
    curves = [torch.load(trained / case.name / f"curve-{rank}.pt") for rank in (0, 1)]
    assert repr(curves[0]) == repr(curves[1])  # so both stop at the same step and keep the same weights
    assert len(curves[0]) == STEPS + 1
    for told, row in zip(curves[0], alone.curve, strict=True):
        assert told == pytest.approx(figures(row), rel=EXACT, nan_ok=True)
    state, _, _ = read_checkpoint(trained / case.name / "checkpoint.pt", origin="")
    assert state.best_step == alone.best_step
    for name, weight in alone.best.items():
        torch.testing.assert_close(state.best[name], weight, rtol=EXACT, atol=EXACT)
    longer = train(trained / "base", tmp_path, case.method, steps=STEPS + 2, plain=plain)
    gone_on = train(trained / "base", trained / case.name, case.method, steps=STEPS + 2, plain=plain)
    for name, weight in longer.best.items():
        torch.testing.assert_close(gone_on.best[name], weight, rtol=EXACT, atol=EXACT)


def test_a_killed_process_ends_the_training_by_name_and_the_same_command_goes_on(tmp_path, base, calm):
    dataset, recorder = make_dataset(tmp_path, small_examples()), Recorder()
    scratch = scratch_of(tmp_path, settings_of(devices=TWO), dataset)
    killed: list[int] = []

    def kill_second(event: Event) -> None:
        if event.kind == "step" and event.facts["done"] == 3 and not killed:
            killed.append(worker_of(scratch, 1))
            os.kill(killed[0], signal.SIGKILL)

    started = time.monotonic()
    with pytest.raises(TutelageError, match=r"process 1 of 2 \(counted from 0\) was ended by SIGKILL.*The state after step \d is saved. "
                                            "Run the same command again to go on from there."):
        run_training(tmp_path, base, dataset, kill_second, devices=TWO)
    assert time.monotonic() - started < 240
    assert killed
    assert workers_of(scratch) == []
    saved = step_of(scratch / "checkpoint.pt")
    assert saved >= 3
    made = run_training(tmp_path, base, dataset, recorder, devices=TWO)
    assert [event.facts["step"] for event in recorder.events if event.key == "training.resumed"] == [saved]
    learned, expected = load_file(made.file(WEIGHTS)), load_file(calm.file(WEIGHTS))
    assert learned.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(learned[name], weight, rtol=CLOSE, atol=CLOSE)
    summary, alone = (json.loads(artifact.file("training.json").read_text()) for artifact in (made, calm))
    assert summary["best_loss"] == pytest.approx(alone["best_loss"], abs=CLOSE)
    assert (summary["processes"], summary["promise"], summary["kept"], summary["path"]) == (2, None, None, "packed")
    assert [(one["setting"], one["value"]) for one in summary["chosen"]] == [("devices", "2 x DDP")]
    assert made.file("adapter/adapter_config.json").read_bytes() == calm.file("adapter/adapter_config.json").read_bytes()


def test_sigterm_pauses_all_processes_and_shards_give_the_same_adapter(tmp_path, base, calm):
    dataset, shards = make_dataset(tmp_path, small_examples()), {"processes": 2, "sharing": "fsdp"}
    with pytest.raises(Paused, match="stopped by SIGTERM after step"):
        run_training(tmp_path, base, dataset, signal_at(2, signal.SIGTERM), devices=shards)
    assert workers_of(scratch_of(tmp_path, settings_of(devices=shards), dataset)) == []
    assert Store(tmp_path).all("training") == []
    made = run_training(tmp_path, base, dataset, devices=shards)
    learned, expected = load_file(made.file(WEIGHTS)), load_file(calm.file(WEIGHTS))
    for name, weight in expected.items():
        torch.testing.assert_close(learned[name], weight, rtol=CLOSE, atol=CLOSE)
    assert json.loads(made.file("training.json").read_text())["path"] == "padded"


def workers_of(scratch: Path) -> list[int]:
    """Process ids of the training's processes that still run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"tutelage.training.worker" in words and str(scratch).encode() in b" ".join(words):
            found.append(int(folder.name))
    return sorted(found)


def worker_of(scratch: Path, rank: int) -> int:
    """Process id of one of the training's processes."""
    for process in workers_of(scratch):
        if f"RANK={rank}".encode() in Path(f"/proc/{process}/environ").read_bytes().split(b"\0"):
            return process
    raise AssertionError(f"no process {rank} in {scratch / LOGS}")
