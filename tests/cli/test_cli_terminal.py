"""What the terminal tells of a run."""

from tutelage.cli.terminal import Shown, Terminal, clock, fact_text
from tutelage.core.events import Event


def test_facts_are_shown_by_the_format_of_their_blank_or_as_people_write_them():
    assert f"{Shown(0.12345):.2f}" == "0.12"
    assert f"{Shown(0.12345)}" == "0.123"
    assert f"{Shown(12345)}" == "12,345"
    assert f"{Shown('better'):<8}|" == "better  |"


def test_times_are_minutes_and_seconds():
    assert clock(185) == "3:05"
    assert fact_text(True) == "True"


def test_plain_lines_tell_plan_start_and_result_and_leave_the_error_to_the_command(capsys):
    with Terminal("en") as terminal:
        terminal(Event(at=0, stage="training", kind="plan", facts={"id": "abc", "is_made": False, "rough_seconds": 420.0}))
        terminal(Event(at=0, stage="training", kind="started", facts={"rough_seconds": 420.0}))
        made = {"id": "abc", "is_new": True, "seconds": 61.0, "kept": 1200}
        terminal(Event(at=0, stage="training", kind="finished", key="run.made", facts=made))
        terminal(Event(at=0, stage="run", kind="failed", key="run.failed", facts={"exit_code": 4, "error": "no answer"}))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == ["training   abc  about 7:00", "training: started, about 7:00", "training abc: kept 1,200; in 1:01"]


def test_warnings_are_marked_in_the_users_language(capsys):
    with Terminal("zh") as terminal:
        terminal(Event(at=0, stage="dataset", kind="warning", key="dataset.few_rows", facts={"count": 2, "limit": 5, "types": "delivery"}))
    assert capsys.readouterr().err.startswith("警告：")
