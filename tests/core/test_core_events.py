"""The event stream."""

import json

from tutelage.core.events import Events, JsonLines, Recorder


def test_every_listener_hears_every_event_in_order(tmp_path):
    recorder, log = Recorder(), JsonLines(tmp_path / "run" / "events.jsonl")
    events = Events(recorder, log)
    events.step("training", done=3, total=30, loss=1.5)
    events.note("dataset", "dataset.counts", rows=12)
    events.warning("dataset", "dataset.few", rows=2)
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["step", "note", "warning"]
    assert lines[0]["facts"] == {"done": 3, "total": 30, "loss": 1.5}
    assert [event.stage for event in recorder.events] == ["training", "dataset", "dataset"]
    assert lines[1]["key"] == "dataset.counts"
