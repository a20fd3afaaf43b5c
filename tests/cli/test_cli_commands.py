"""The command line: fast help, exit codes, results on stdout and progress on stderr."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import docx

from tutelage.cli.making import next_step

RECIPE = "name: r\ndocuments: {sources: [contracts]}\ntraining: {base: smollm2-135m-instruct}\n"


def tutelage(*words: str, cwd=None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tutelage", *words], capture_output=True, text=True, cwd=cwd, timeout=timeout, check=False)


def test_help_answers_in_half_a_second():
    def once() -> float:
        started = time.perf_counter()
        shown = tutelage("--help")
        assert shown.returncode == 0
        assert all(command in shown.stdout for command in ("check", "plan", "make", "show", "serve"))
        return time.perf_counter() - started

    assert min(once() for _ in range(5)) < 0.5


def test_help_loads_no_heavy_package():
    script = ("import sys; sys.argv = ['tutelage', '--help']\nfrom tutelage.cli.main import main\ntry: main()\nexcept SystemExit: pass\n"
              "print([name for name in ('torch', 'transformers', 'sqlalchemy', 'fastapi', 'pyarrow', 'numpy') if name in sys.modules])")
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


def test_the_next_step_after_a_classifier_is_to_load_it(tmp_path):
    """The stages after its training are refused, so they are not what comes next."""
    recipe, made = Path("r.yaml"), {"documents": tmp_path / "documents"}
    assert next_step(made, recipe, "en", task="classification") == "next: tutelage make r.yaml --until training"
    assert next_step(made, recipe, "en", task="sft") == "next: tutelage make r.yaml"
    made["training"] = tmp_path / "training"
    assert next_step(made, recipe, "en", task="classification") == (
        f'next: transformers.AutoModelForSequenceClassification.from_pretrained("{tmp_path / "training" / "classifier"}")')


def test_a_bad_recipe_is_exit_code_2_with_all_lines_on_stderr(tmp_path):
    (tmp_path / "bad.yaml").write_text("name: bad\ntraining:\n  rank: 0\n")
    ended = tutelage("check", "bad.yaml", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == ["bad.yaml:1: documents: missing; it has no default.",
                                         "bad.yaml:3: training.rank: input should be greater than or equal to 1 (got 0)"]


def test_an_unknown_model_is_told_by_line(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE.replace("smollm2-135m-instruct", "smollm2-135m-instrct"))
    ended = tutelage("check", "r.yaml", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("r.yaml:3: training.base: ")
    assert "smollm2-135m-instruct" in ended.stderr


def test_check_and_plan_say_that_zeros_gain_nothing(tmp_path):
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "one.txt").write_text("1. Payment. The Buyer pays within thirty days.")
    (tmp_path / "r.yaml").write_text(RECIPE + "model: {sparsity: 2_of_4}\n")
    for words in (("check", "r.yaml"), ("plan", "r.yaml", "--no-data")):
        told = tutelage(*words, cwd=tmp_path).stdout
        assert "r.yaml:4: model.sparsity: is 2_of_4: on a processor a copy with such zeros is as large and as slow as one without" in told


def test_an_empty_folder_of_documents_is_told_before_anything_is_made(tmp_path):
    (tmp_path / "contracts").mkdir()
    (tmp_path / "r.yaml").write_text(RECIPE)
    ended = tutelage("make", "r.yaml", "--until", "documents", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.count("contracts") == 1, "the error is told once"
    assert not list(tmp_path.glob("work/documents/[!.]*"))


def test_an_unknown_stage_is_told(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE)
    ended = tutelage("plan", "r.yaml", "--until", "trainig", cwd=tmp_path)
    assert ended.returncode == 2
    assert "--until trainig: there is no such stage; there are documents, dataset, training" in ended.stderr


def test_showing_nothing_names_the_next_step_in_both_languages(tmp_path):
    english, chinese = tutelage("show", cwd=tmp_path), tutelage("show", "--language", "zh", cwd=tmp_path)
    assert (english.returncode, chinese.returncode) == (2, 2)
    assert "nothing has been made here yet" in english.stderr
    assert "这里还没有任何产物" in chinese.stderr


def test_a_port_in_use_is_exit_code_4_and_names_another(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = tutelage("serve", "r.yaml", "--port", str(port), cwd=tmp_path)
    assert ended.returncode == 4
    assert f"port {port} on 127.0.0.1 cannot be used" in ended.stderr
    assert "--port" in ended.stderr


def test_the_version_is_printed():
    assert tutelage("--version").stdout.startswith("tutelage 0.")


def test_asking_for_the_uses_of_nothing_says_what_to_give(tmp_path):
    ended = tutelage("show", "uses", cwd=tmp_path)
    assert ended.returncode == 2
    assert "show uses: needs a document: its id, the name of its file, or the SHA-256 of the file" in ended.stderr


def test_the_uses_of_a_document_are_listed_with_what_a_deletion_takes(tmp_path):
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "lease.txt").write_text("The tenant shall pay the rent on the first day of each month to the landlord, who "
                                                      "shall keep the roof in repair.\n")
    (tmp_path / "r.yaml").write_text(RECIPE)
    assert tutelage("make", "r.yaml", "--until", "documents", cwd=tmp_path).returncode == 0
    shown = tutelage("show", "uses", "contracts/lease.txt", cwd=tmp_path)
    assert shown.returncode == 0
    assert "the document is here, kept (fit)" in shown.stdout
    assert "To delete it everywhere" in shown.stdout
    as_json = json.loads(tutelage("show", "uses", "contracts/lease.txt", "--json", cwd=tmp_path).stdout)
    assert (as_json["stage"], as_json["what"], len(as_json["rows"])) == ("documents", "kept", 1)


def test_the_life_of_a_row_says_where_it_stood_in_a_word_file(tmp_path):
    word = docx.Document()
    word.add_paragraph("The tenant shall pay the rent on the first day of each month to the landlord, who shall keep the roof in repair.")
    word.add_paragraph("Either party may end this lease by a notice of three months to the other party, given in writing\u00a0only.")
    (tmp_path / "contracts").mkdir()
    word.save(str(tmp_path / "contracts" / "lease.docx"))
    (tmp_path / "r.yaml").write_text(RECIPE)
    assert tutelage("make", "r.yaml", "--until", "documents", cwd=tmp_path).returncode == 0
    [document] = next((tmp_path / "work" / "documents").glob("*/documents.jsonl")).read_text("utf-8").splitlines()
    shown = tutelage("show", "row", json.loads(document)["id"], cwd=tmp_path).stdout
    assert "from contracts/lease.docx (SHA-256 " in shown
    assert "paragraph 1 (body); paragraph 2 (body)" in shown
    assert "non_breaking_spaces 1" in shown
