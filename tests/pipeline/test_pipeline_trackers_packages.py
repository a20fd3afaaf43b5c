"""The trackers' own packages, off line: what they keep is what was told, and nothing leaves the machine. Each needs its package."""

import json
import socket
import sqlite3
import struct
import threading
import time
from pathlib import Path

import pytest
from tracked import STEP, Told

from tutelage.pipeline.trackers import TRACKERS
from tutelage.training.settings import TrainingSettings

CANARY = "lessor-smith-4711"
OUTSIDE = ("WANDB_MODE", "MLFLOW_TRACKING_URI", "TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_DIR")
BLOCK, HEAD = 32768, 7  # of the log format of LevelDB, in which Weights & Biases keeps its records


class Outside:
    """A proxy that counts who wants to go out, and lets nobody through."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            asking, _ = self._server.accept()
            self.asked.append(asking.recv(200))
            asking.sendall(b"HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n")
            asking.close()


@pytest.fixture
def outside(monkeypatch):
    for name in OUTSIDE:
        monkeypatch.delenv(name, raising=False)
    proxy = Outside()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, proxy.address)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return proxy


def tell(work: Path, name: str, **secrets: str) -> Path:
    """Two steps of a training, with things around that no tracker may keep; gives the tracker's folder."""
    told = Told(work, names=(name,), settings=TrainingSettings(base=f"/clients/{CANARY}", rank=8), finishing_seconds=60)
    told.events.note("training", "training.told", text=CANARY)
    told.steps(1, 2, row=CANARY)
    told.end()
    assert told.warnings() == []
    return work / "trackers" / name


def wandb_history(folder: Path) -> list[dict[str, object]]:
    from wandb.proto.wandb_internal_pb2 import Record

    [path] = folder.glob("wandb/offline-run-*/run-training1.wandb")
    data, place, whole, rows = path.read_bytes(), HEAD, b"", []
    while place + HEAD <= len(data):
        if BLOCK - place % BLOCK < HEAD:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[place:place + HEAD])
        whole += data[place + HEAD:place + HEAD + length]
        place += HEAD + length
        if kind in (1, 4):  # whole, or the last part
            record = Record.FromString(whole)
            whole = b""
            if record.HasField("history"):
                rows.append({item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item})
    return rows


def mlflow_history(folder: Path) -> list[dict[str, object]]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    [run] = client.search_runs([client.get_experiment_by_name("tutelage").experiment_id])
    assert (run.info.status, run.info.user_id, run.data.params["rank"]) == ("FINISHED", "unknown", "8")
    kept = {name: client.get_metric_history(run.info.run_id, name) for name in STEP}
    return [{name: points[place].value for name, points in kept.items()} | {"_step": kept["loss"][place].step} for place in (0, 1)]


def tensorboard_history(folder: Path) -> list[dict[str, object]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    kept = EventAccumulator(str(folder / "training1"))
    kept.Reload()
    points = {name: kept.Tensors(name) for name in kept.Tags()["tensors"]}
    return [{name: float(make_ndarray(rows[place].tensor_proto)) for name, rows in points.items()} | {"_step": points["loss"][place].step}
            for place in (0, 1)]


def trackio_history(folder: Path) -> list[dict[str, object]]:
    with sqlite3.connect(folder / "tutelage.db") as database:
        rows = database.execute("select step, metrics from metrics where run_name = 'training1' order by step").fetchall()
    return [json.loads(metrics) | {"_step": step} for step, metrics in rows]


HISTORIES = {"wandb": wandb_history, "mlflow": mlflow_history, "tensorboard": tensorboard_history, "trackio": trackio_history}


def test_every_tracker_is_read_back():
    assert set(HISTORIES) == set(TRACKERS)


@pytest.mark.parametrize("name", HISTORIES)
def test_what_is_kept_is_what_was_told_and_nothing_goes_out(tmp_path, outside, monkeypatch, name):
    pytest.importorskip(TRACKERS[name].package, reason=f"pip install {TRACKERS[name].install}: in the extra trackers, not in dev")
    for secret in ("HF_TOKEN", "TUTELAGE_SECRET", "WANDB_API_KEY", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.setenv(secret, CANARY)
    folder = tell(tmp_path, name)
    rows = HISTORIES[name](folder)
    assert [row["_step"] for row in rows] == [1, 2]
    for row in rows:
        # TensorBoard keeps 32-bit numbers.
        assert {figure: row[figure] for figure in STEP} == pytest.approx(STEP, rel=1e-6)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert [str(path) for path in files if CANARY.encode() in path.read_bytes()] == []
    assert outside.asked == []


@pytest.mark.parametrize(("name", "variable", "value"), [("wandb", "WANDB_MODE", "online"), ("mlflow", "MLFLOW_TRACKING_URI", "http://far.invalid"),
                                                         ("trackio", "TRACKIO_SERVER_URL", "http://far.invalid?write_token=x")])
def test_the_users_own_variable_sends_figures_out_and_no_answer_stops_nothing(tmp_path, outside, monkeypatch, name, variable, value):
    pytest.importorskip(TRACKERS[name].package, reason=f"pip install {TRACKERS[name].install}: in the extra trackers, not in dev")
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    told = Told(tmp_path, names=(name,), finishing_seconds=0.2)
    until = time.monotonic() + 100  # the packages load slowly where the machine is busy
    while not outside.asked and time.monotonic() < until:
        time.sleep(0.1)
    told.steps(1, 2)
    told.end()
    assert outside.asked
    assert [event.key for event in told.recorder.events if event.kind == "note"] == ["run.tracker_away"]
