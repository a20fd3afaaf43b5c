"""What `show` says of an artifact."""

from tutelage.cli.show import run_show
from tutelage.core.events import Events
from tutelage.core.files import write_whole
from tutelage.core.settings import Settings
from tutelage.core.store import Store


def make_training(work, *files: str) -> None:
    with Store(work).making("training", "abc", version=1, recipe="r", settings=Settings(), parents={}, inputs={},
                            events=Events()) as making:
        for name in files:
            write_whole(making.folder / name, "x")


def test_showing_a_training_names_its_page_in_the_users_language(tmp_path, capsys):
    make_training(tmp_path, "report.en.html", "report.zh.html")
    for language, told in ((None, "page: "), ("en", "page: "), ("zh", "报告页面：")):
        run_show("training", None, work=tmp_path, language=language, as_json=False)
        page = tmp_path / "training" / "abc" / f"report.{language or 'en'}.html"
        assert capsys.readouterr().out.splitlines()[-1] == f"{told}{page}"


def test_what_has_no_page_names_none(tmp_path, capsys):
    make_training(tmp_path, "training.json")
    run_show("training", None, work=tmp_path, language="en", as_json=False)
    assert "page:" not in capsys.readouterr().out
