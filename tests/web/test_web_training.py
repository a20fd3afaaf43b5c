"""The training page and its stream, the curve, and the scores page."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from web_site import CharacterEngine, gate, running

from tutelage.core.chat import CHATML
from tutelage.core.events import Event, Events, JsonLines
from tutelage.core.files import write_rows, write_whole
from tutelage.core.store import Store
from tutelage.endpoint.serving import Door
from tutelage.endpoint.settings import EndpointSettings
from tutelage.pipeline.runs import Made, new_run, newest_artifact, write_made
from tutelage.training.checkpoint import CurveRow
from tutelage.web.app import create_app
from tutelage.web.auth import SESSION_COOKIE, Sessions
from tutelage.web.curves import curves
from tutelage.web.pages import duration
from tutelage.web.progress import Follower, Progress
from tutelage.web.training_pages import told


def event(at: float, stage: str, kind: str, key: str = "", **facts) -> Event:
    return Event(at=at, stage=stage, kind=kind, key=key, facts=facts)


@pytest.fixture
def run(site):
    """The event file of a run in the middle of its training."""
    log = JsonLines(site.work / "runs" / "1" / "events.jsonl")
    events = Events(log)
    for stage, is_made, seconds in (("dataset", False, 30.0), ("training", False, 400.0), ("scores", False, 60.0)):
        events.send(stage, "plan", id="x", is_made=is_made, rough_seconds=seconds)
    events.send("dataset", "started", "run.started", id="x", rough_seconds=30.0)
    events.send("dataset", "finished", "run.made", id="x", is_new=True, seconds=12.0)
    events.send("training", "started", "run.started", id="x", rough_seconds=400.0)
    events.warning("training", "run.not_switched", error="<b>bold</b>")
    for step in range(1, 44):
        events.step("training", done=step, total=100, loss=3 - step / 50, learning_rate=0.0005, gradient_norm=0.25, memory_mb=1850.5,
                    tokens_per_second=210.5, gpu_memory_mb=None, **({"validation_loss": 2.5 - step / 100} if step % 10 == 0 else {}))
    events.step("model", done=1, total=9, loss=77.5)
    yield events
    log.close()


def test_without_a_run_the_page_says_how_to_start_one(site, visit):
    assert "No run yet. Start one with: tutelage make RECIPE" in visit(site, "drafter").get("/training").text


def test_the_page_shows_stages_time_curve_and_notes(site, visit, run):
    page = visit(site, "drafter").get("/training").text
    assert "The run is under way." in page
    assert '<progress max="1" value="0.430" aria-label="training">' in page
    assert "took 12 s" in page
    assert "about 60 s" in page
    assert "Loss went from 2.98 to 2.14 in 43 steps." in page
    assert page.count('<circle class="second"') == 4
    for shown in ("<dd>43 / 100</dd>", "<dd>2.14</dd>", "<dt>loss (validation)</dt><dd>2.1</dd>", "learning rate <b>0.0005</b>",
                  "gradient norm <b>0.25</b>", "tokens a second <b>210.5</b>", "memory, MB <b>1,850.5</b>"):
        assert shown in page
    assert page.count('<svg class="curve"') == 5
    assert "77.5" not in page
    assert "memory of the GPU" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "Base model base, not tuned yet; training is 43 % done." in page


def test_the_stream_sends_the_changed_part(site, run):
    with running(create_app(site)) as address, httpx.Client(cookies={SESSION_COOKIE: Sessions(site.secret).open("drafter")}) as client, \
            client.stream("GET", f"{address}/training/events") as answer:
        lines = answer.iter_lines()
        first = next(line for line in lines if line.startswith("data: "))
        assert 'value=\\"0.430\\"' in first
        run.step("training", done=50, total=100, loss=2.0)
        second = next(line for line in lines if line.startswith("data: "))
        assert 'value=\\"0.500\\"' in second


def test_the_time_left_follows_the_pace_so_far():
    progress = Progress()
    for one in (event(0, "training", "plan", rough_seconds=400.0), event(0, "scores", "plan", rough_seconds=60.0),
                event(100, "training", "started")):
        progress.hear(one)
    assert progress.seconds_left == 400 + 60
    progress.hear(event(130, "training", "step", done=25, total=100))
    # 25 % took 30 s, so 75 % take 90 s
    assert progress.stages["training"].seconds_left == pytest.approx(90)
    assert progress.seconds_left == pytest.approx(150)
    progress.hear(event(150, "training", "step", done=40, total=100, seconds_left=33))
    assert progress.stages["training"].seconds_left == 33
    progress.hear(event(220, "training", "finished", seconds=120.0))
    assert progress.seconds_left == 60
    assert progress.stages["training"].share == 1.0


def test_a_run_that_stopped_leaves_no_stage_running():
    progress = Progress()
    for one in (event(0, "training", "started"), event(9, "run", "failed", "run.failed", exit_code=1, error="no memory")):
        progress.hear(one)
    assert (progress.state, progress.stages["training"].state, progress.running) == ("failed", "failed", None)
    assert [note.key for note in progress.notes] == ["run.failed"]


def test_the_follower_reads_what_was_added_and_starts_anew_with_a_new_run(tmp_path):
    files = [tmp_path / "a.jsonl"]
    follower = Follower(lambda: files[-1])
    assert follower.progress() is None
    files[0].write_text(event(1, "training", "step", done=1, total=4).model_dump_json() + "\n" + '{"at": 2, "stage": "tr', "utf-8")
    assert follower.progress().stages["training"].done == 1
    with files[0].open("a") as file:
        file.write('aining", "kind": "step", "facts": {"done": 2, "total": 4}}\nbroken\n')
    assert follower.progress().stages["training"].done == 2
    files.append(tmp_path / "b.jsonl")
    files[1].write_text(event(1, "dataset", "started").model_dump_json() + "\n")
    assert list(follower.progress().stages) == ["dataset"]


def test_there_are_no_curves_before_the_first_step_and_no_drawing_of_one_point():
    progress = Progress()
    assert curves(progress, "en") is None
    progress.hear(event(1, "training", "step", done=0, total=4, validation_loss=2.5))
    first = curves(progress, "zh")
    assert (first.step, first.now, str(first.loss), first.small) == ("0 / 4", [("损失（验证）", "2.5")], "", [])


def test_a_note_is_told_in_the_language_and_an_unknown_one_by_its_key():
    assert told(event(1, "run", "note", "run.left", time="3 min"), "zh") == "剩余 3 min"
    assert told(event(1, "model", "note", "future.key", x=1), "en") == "model: future.key"
    assert told(event(1, "run", "note", "run.left"), "en") == "run: run.left"


@pytest.mark.parametrize("seconds, shown", [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3000, "50 min"), (5400, "1 h 30 min")])
def test_durations_read_well(seconds, shown):
    assert duration(seconds, "en") == shown


def put_training(work, name: str) -> None:
    with Store(work).making("training", name, version=1, recipe="t", settings=EndpointSettings(), parents={}, inputs={},
                            events=Events()) as making:
        measured = {0: 2.5, 2: 2.25}
        write_rows(making.folder / "curve.jsonl", [
            CurveRow(step=step, tokens=40 * step, loss=3 - step / 2 if step else None, validation_loss=measured.get(step),
                     bits_per_byte=None, score=None, learning_rate=0.002, gradient_norm=None, seconds=step, tokens_per_second=None,
                     memory_mb=900.5, gpu_memory_mb=None)
            for step in range(3)])
        for language in ("en", "zh"):
            write_whole(making.folder / f"report.{language}.html", f"<h1>training {language}</h1>")


def test_a_training_that_was_up_to_date_shows_its_curve_its_time_and_its_report(site, visit):
    put_training(site.work, "t1")
    log = JsonLines(site.work / "runs" / "1" / "events.jsonl")
    Events(log).send("training", "finished", "run.up_to_date", id="t1", is_new=False, seconds=0.0, made_in=464.0)
    log.close()
    client = visit(site, "drafter")
    page = client.get("/training").text
    assert "up to date; took 8 min when it was made" in page
    assert "<dd>2 / 2</dd>" in page
    assert "Loss went from 2.5 to 2 in 2 steps." in page
    assert page.count('<circle class="second"') == 2
    assert "memory, MB <b>900.5</b>" in page
    assert '<a href="/training/report?language=en">' in page
    assert client.get("/training/report?language=zh").text == "<h1>training zh</h1>"


def test_without_a_finished_training_there_is_no_report_and_no_link_to_one(site, visit, run):
    client = visit(site, "drafter")
    assert client.get("/training/report").status_code == 404
    assert "/training/report" not in client.get("/training").text


def test_the_report_of_an_earlier_training_is_not_offered_while_another_is_at_work(site, visit, run):
    put_training(site.work, "t1")
    assert "/training/report" not in visit(site, "drafter").get("/training").text


def test_without_scores_the_page_says_so(site, visit):
    client = visit(site, "drafter")
    assert "There are no scores yet." in client.get("/scores").text
    assert client.get("/scores/report").status_code == 404


def put_scores(work, name: str, title: str) -> None:
    with Store(work).making("scores", name, version=1, recipe="t", settings=EndpointSettings(), parents={}, inputs={},
                            events=Events()) as making:
        for language in ("en", "zh"):
            write_whole(making.folder / f"report.{language}.html", f"<h1>{title} {language}</h1>")
        write_whole(making.folder / "gate.json", gate(is_open=False).model_dump_json())


def test_the_report_is_that_of_the_recipe_and_not_of_another_that_ran_later(site, visit):
    for recipe, name in (("mine", "s1"), ("other", "s2")):
        put_scores(site.work, name, recipe)
        write_made(new_run(site.work, recipe), Made(recipe=recipe, ids={"scores": name}))
    door = Door(site.work, find=lambda stage: newest_artifact(site.work, "mine", stage), chat_format=CHATML,
                open_engine=lambda path, name: CharacterEngine(name))
    client = visit(replace(site, door=door), "drafter")
    assert client.get("/scores/report?language=en").text == "<h1>mine en</h1>"
    nobodys = Door(site.work, find=lambda stage: newest_artifact(site.work, "third", stage), chat_format=CHATML,
                   open_engine=lambda path, name: CharacterEngine(name))
    assert "There are no scores yet." in visit(replace(site, door=nobodys), "drafter").get("/scores").text


def test_the_newest_report_stands_in_a_frame_that_can_do_nothing(site, visit):
    put_scores(site.work, "s1", "report")
    client = visit(site, "drafter")
    page = client.get("/scores?language=zh").text
    assert '<iframe class="report" src="/scores/report?language=zh" title="最新评测报告">' in page
    assert "检验未通过：150 条留出条款不足以证明调优模型更好。基础模型 base 与条款库继续可用。" in page
    report = client.get("/scores/report?language=en")
    assert report.text == "<h1>report en</h1>"
    policy = report.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "script" not in policy
    assert report.headers["x-frame-options"] == "SAMEORIGIN"
