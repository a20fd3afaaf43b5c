"""`tutelage override`: who signs is checked, what is recorded is told, and the next `make` deploys it or stops."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from small_flow import write_flow

from tutelage.cli.main import app
from tutelage.cli.override import run_override
from tutelage.core.errors import GateClosed, InputError
from tutelage.core.events import Events
from tutelage.core.files import write_whole
from tutelage.core.records import GateDecision
from tutelage.core.settings import Settings
from tutelage.core.store import Store
from tutelage.desk.desk import open_desk
from tutelage.pipeline.conduct import plan
from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.runs import Made, new_run, write_made
from tutelage.pipeline.stages import Site, planned_id, standing_overrides

UNDECIDED = GateDecision(is_open=False, verdict="not enough evidence", candidate="copy", versus="base", metric="bits_per_byte", n=12,
                         difference=-0.01, low=-0.03, high=0.01, next_key="scores.next.no_difference", facts={"n": 12},
                         undecided=("scores.rule.better",))

RECIPE = """name: pilot
documents:
  sources: [contracts]
training:
  base: smollm2-135m-instruct
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, and in work/ its scores and a desk with rita."""
    folder = tmp_path_factory.mktemp("overriding")
    (folder / "pilot.yaml").write_text(RECIPE, "utf-8")
    work = folder / "work"
    desk = open_desk(f"sqlite:///{_made(work) / 'desk.sqlite'}")
    desk.add_user("rita", "password of rita", role="reviewer")
    desk.close()
    put_scores(work, "s1", UNDECIDED)
    shutil.copytree(work, folder / "untouched")
    return folder


def _made(work: Path) -> Path:
    work.mkdir(parents=True, exist_ok=True)
    return work


def put_scores(work: Path, name: str, gate: GateDecision) -> None:
    with Store(work).making("scores", name, version=4, recipe="pilot", settings=Settings(), parents={}, inputs={},
                            events=Events()) as making:
        write_whole(making.folder / "gate.json", gate.model_dump_json())
    write_made(new_run(work, "pilot"), Made(recipe="pilot", ids={"scores": name}, exit_code=3))


def sign(place: Path, *, user: str = "rita", reason: str = "For the pilot.", withdraws: bool = False, changes: tuple[str, ...] = (),
         language: str = "en", as_json: bool = False) -> None:
    run_override(place / "pilot.yaml", list(changes), user=user, reason=reason, withdraws=withdraws, work=place / "work",
                 language=language, as_json=as_json)


def test_a_reviewer_signs_and_reads_what_comes_next_then_withdraws(place: Path, monkeypatch: pytest.MonkeyPatch,
                                                                   capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DESK_PASSWORD", "password of rita")
    sign(place, changes=("endpoint.override_people=2",))
    told = capsys.readouterr().out
    assert "rita (reviewer) answers for it since 20" in told
    assert "for scores s1 only; 1 of 2 people answer, so it is not served yet" in told
    site = Site(load_recipe(place / "pilot.yaml"), place / "work")
    assert [one.person for one in standing_overrides(site, lambda: "s1")] == ["rita"]
    assert standing_overrides(site, lambda: "s2") == ()
    sign(place, withdraws=True, reason="over", language="zh")
    assert "评测 s1 的放行已撤回（原有 1 人）" in capsys.readouterr().out
    assert standing_overrides(site, lambda: "s1") == ()
    sign(place, as_json=True)
    assert [one["reason"] for one in json.loads(capsys.readouterr().out)] == ["For the pilot."]
    sign(place, withdraws=True, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"scores": "s1", "ended": 1}
    sign(place)
    assert f"next: tutelage make {place / 'pilot.yaml'}" in capsys.readouterr().out


def test_the_command_of_the_page_does_what_it_says(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "stages" / "endpoint.md").read_text("utf-8")
    (line,) = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()
               if line.startswith("tutelage override ")]
    shutil.copytree(place / "untouched", tmp_path / "work")
    (tmp_path / "recipe.yaml").write_text(RECIPE, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DESK_PASSWORD", "password of rita")
    app(shlex.split(line)[1:], standalone_mode=False)
    assert "Only for the internal pilot; two people read each draft." in capsys.readouterr().out


def test_who_answers_makes_another_deployment_and_withdrawing_gives_back_the_one_before(tmp_path: Path) -> None:
    work = tmp_path / "work"
    loaded = load_recipe(write_flow(tmp_path))
    before = {row.stage: row.id for row in plan(loaded, work)}
    assert not (work / "desk.sqlite").exists()
    site = Site(loaded, work)
    assert planned_id(site, "scores") == before["scores"]
    desk = open_desk(f"sqlite:///{_made(work) / 'desk.sqlite'}")
    desk.add_user("rita", "password of rita", role="reviewer")

    def answer_for(scores: str) -> dict[str, str]:
        desk.override_gate(scores_id=scores, gate_sha256="0" * 64, verdict="not enough evidence", candidate="copy", person="rita",
                           reason="x")
        return {row.stage: row.id for row in plan(loaded, work)}

    assert answer_for("other scores") == before
    after = answer_for(before["scores"])
    assert {stage for stage, made in after.items() if made != before[stage]} == {"endpoint"}
    desk.withdraw_override(before["scores"], person="rita", reason="over")
    assert {row.stage: row.id for row in plan(loaded, work)} == before
    desk.close()


@pytest.mark.parametrize(("user", "password"), [("rita", "a wrong password"), ("nobody", "password of rita")])
def test_who_cannot_sign_in_cannot_answer(place: Path, monkeypatch: pytest.MonkeyPatch, user: str, password: str) -> None:
    monkeypatch.setenv("DESK_PASSWORD", password)
    with pytest.raises(InputError, match=f"--user {user}: the desk knows no such person with this password"):
        sign(place, user=user)


def test_without_a_terminal_and_a_password_the_command_says_where_to_put_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESK_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO("typed by a program\n"))
    with pytest.raises(InputError, match=r"no terminal to ask for the password of rita\. Set the environment variable DESK_PASSWORD"):
        sign(place)


def test_a_broken_gate_cannot_be_overridden_by_the_command(place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DESK_PASSWORD", "password of rita")
    put_scores(place / "work", "s9", UNDECIDED.model_copy(update={"verdict": "worse", "undecided": ()}))
    newest = max((place / "work" / "runs").iterdir(), key=lambda run: run.stat().st_mtime_ns)
    newest.rename(newest.with_name(f"9{newest.name}"))
    with pytest.raises(GateClosed, match="the gate of scores s9 cannot be overridden") as refused:
        sign(place)
    assert refused.value.exit_code == 3
    newest.with_name(f"9{newest.name}").rename(newest)


def test_without_scores_or_a_desk_there_is_nothing_to_answer_for(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_PASSWORD", "x")
    with pytest.raises(InputError, match=r"holds no scores of the recipe 'pilot'\. Run `tutelage make pilot\.yaml --until scores`"):
        run_override(place / "pilot.yaml", [], user="rita", reason="x", withdraws=False, work=tmp_path, language=None, as_json=False)
    put_scores(tmp_path, "s1", UNDECIDED)
    with pytest.raises(InputError, match="has no desk yet, so there is nobody who could answer"):
        run_override(place / "pilot.yaml", [], user="rita", reason="x", withdraws=False, work=tmp_path, language=None, as_json=False)
    assert not (tmp_path / "desk.sqlite").exists()
