"""The commands and their options. Each loads only what it needs, so that --help answers at once."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from tutelage import __version__

app = typer.Typer(name="tutelage", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
                  help="Your documents become a private language model, served only when it passed its scores.",
                  epilog="Exit codes: 0 done, 1 our fault, 2 your recipe or input, 3 gate closed, 4 a service did not answer, "
                         "5 paused (the same command goes on).")


TongueName = Literal["en", "zh"]
RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe: a YAML file such as recipes/demo.yaml.")]
Work = Annotated[Path, typer.Option("--work", metavar="DIR", help="Folder for artifacts, runs and the desk.")]
Language = Annotated[TongueName | None, typer.Option("--language", help="Language of messages; left out: the recipe's.")]
Changes = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: training.rank=8. Repeatable.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.")]
DEFAULT_WORK = Path("work")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tutelage {__version__}")
        raise typer.Exit


@app.callback()
def tutelage(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
             ) -> None:
    """Your documents become a private language model, served only when it passed its scores."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # where it is installed, each import would warn of an optional kernel


@app.command()
def check(recipe: RecipePath, changes: Changes = None) -> None:
    """Find all mistakes of a recipe at once, by line."""
    from tutelage.cli.making import run_check

    run_check(recipe, changes or [])


@app.command()
def plan(recipe: RecipePath, until: Annotated[str | None, typer.Option("--until", metavar="STAGE", help="Last stage.")] = None,
         data: Annotated[bool, typer.Option("--data/--no-data", help="Make documents and dataset, and tell what they hold.")] = True,
         probe: Annotated[bool, typer.Option("--probe/--no-probe", help="Try the training for about 20 seconds and promise its minutes "
                                                                        "and memory; needs the data.")] = True,
         changes: Changes = None, work: Work = DEFAULT_WORK, language: Language = None, json: Json = False) -> None:
    """Tell what `make` would do and how long it takes, and what the data holds: kept, dropped and why, lengths, leaks."""
    from tutelage.cli.making import run_plan

    run_plan(recipe, changes or [], until=until, work=work, language=language, as_json=json, with_data=data,
             with_probe=probe)


@app.command()
def make(recipe: RecipePath, until: Annotated[str | None, typer.Option("--until", metavar="STAGE", help="Last stage.")] = None,
         changes: Changes = None, work: Work = DEFAULT_WORK, language: Language = None) -> None:
    """Make everything that is not up to date. Exit code 3 when the gate is closed."""
    from tutelage.cli.making import run_make

    run_make(recipe, changes or [], until=until, work=work, language=language)


@app.command()
def join(machine: Annotated[int, typer.Argument(metavar="NUMBER", min=2, help="The number of this machine: 2 for the second.")],
         work: Work = DEFAULT_WORK, language: Language = None) -> None:
    """Take part in a training that `make` runs on another machine with the same work folder, where training.devices.machines says so."""
    from tutelage.cli.joining import run_join

    run_join(machine, work=work, language=language or "en")


@app.command()
def show(what: Annotated[str | None, typer.Argument(metavar="[STAGE|ID|row|uses|batch|receipt]",
                                                    help="A stage, an id, `row ID`, `uses DOCUMENT`, `batch` or `receipt ID`.")] = None,
         which: Annotated[str | None, typer.Argument(metavar="[ID|DOCUMENT]", help="With `row`: the row whose life is told. With `uses`: "
                                                     "the document, by id, file name or SHA-256. With `receipt`: the answer's id; left "
                                                     "out: all receipts are checked.")] = None,
         verify: Annotated[Path | None, typer.Option("--verify", metavar="FILE", help="With `receipt`: verify this exported receipt, "
                                                     "without the desk.")] = None,
         prompt: Annotated[Path | None, typer.Option("--prompt", metavar="FILE", help="With `receipt`: check that this is what was asked: "
                                                     "the JSON body of the request.")] = None,
         desk: Annotated[str, typer.Option("--desk", metavar="URL", help="With `receipt`: the recipe's desk; left out: the one in the work "
                                           "folder.")] = "",
         work: Work = DEFAULT_WORK, language: Language = None, json: Json = False) -> None:
    """Show what was made: all artifacts, one stage, the scores, a row's life from document to run, all that saw a document, or what
    stands behind an answer (exit code 2 where its receipt is not genuine).
    """
    if what == "receipt":
        from tutelage.cli.receipts import Wanted, run_receipt

        run_receipt(Wanted(which or "", verify, prompt, desk), work=work, language=language, as_json=json)
        return
    from tutelage.cli.show import run_show

    run_show(what, which, work=work, language=language, as_json=json)


@app.command()
def serve(recipe: RecipePath, port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8765,
          host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on. One that other machines reach, such "
                                            "as 0.0.0.0, needs a key of the desk first.")] = "127.0.0.1",
          also: Annotated[list[Path] | None, typer.Option("--also", metavar="RECIPE", help="Serve the model of this recipe too, under its "
                                                          "own name. Can be repeated.")] = None,
          making: Annotated[bool, typer.Option("--make", help="Also run `make`; the page shows it live.")] = False,
          demo_users: Annotated[bool, typer.Option("--demo-users", help="Create two sign-ins and an API key, and print them.")] = False,
          changes: Changes = None, work: Work = DEFAULT_WORK, language: Language = None) -> None:
    """Serve the drafting page, the reviews and the API, for this machine alone unless `--host` says otherwise."""
    from tutelage.cli.serving import run_serve

    run_serve(recipe, changes or [], also=also or [], host=host, port=port, with_make=making, demo_users=demo_users, work=work,
              language=language)


@app.command()
def override(recipe: RecipePath, user: Annotated[str, typer.Option("--user", metavar="NAME", help="Who answers: a reviewer or an admin "
                                                                                                   "of the desk.")],
             reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for everybody to read.")],
             withdraw: Annotated[bool, typer.Option("--withdraw", help="Take all overrides of these scores back.")] = False,
             changes: Changes = None, work: Work = DEFAULT_WORK, language: Language = None, json: Json = False) -> None:
    """Answer for a copy whose newest scores decide nothing, so that `make` deploys it. A broken rule cannot be overridden: exit code 3.

    The password is asked for, or taken from the environment variable DESK_PASSWORD.
    """
    from tutelage.cli.override import run_override

    run_override(recipe, changes or [], user=user, reason=reason, withdraws=withdraw, work=work, language=language, as_json=json)


@app.command()
def labels(recipe: RecipePath, changes: Changes = None, work: Work = DEFAULT_WORK, language: Language = None, json: Json = False) -> None:
    """Queue the clauses that people have to name; tell how many are done and how well two people agree."""
    from tutelage.cli.labels import run_labels

    run_labels(recipe, changes or [], work=work, language=language, as_json=json)


@app.command()
def judge(base: Annotated[str, typer.Option("--base", metavar="MODEL", help="What it must beat: a model folder, an adapter folder, a "
                                            ".gguf file, or an address such as http://127.0.0.1:8000/v1.")],
          candidate: Annotated[str, typer.Option("--candidate", metavar="MODEL", help="What is judged: one of the same.")],
          rows: Annotated[Path, typer.Option("--rows", metavar="FILE", help="Rows that neither was trained on: conversations, prompts with "
                                             "completions, preference pairs, labelled clauses, documents, or a promptfoo file.")],
          trained_on: Annotated[Path | None, typer.Option("--trained-on", metavar="FILE", help="What the candidate was trained on: finds "
                                                          "leaks, and teaches the judge of clause types.")] = None,
          base_model: Annotated[str, typer.Option("--base-model", metavar="NAME", help="Name of the base at its address.")] = "",
          candidate_model: Annotated[str, typer.Option("--candidate-model", metavar="NAME", help="The same of the candidate.")] = "",
          base_format: Annotated[str, typer.Option("--base-format", metavar="FORMAT", help="Chat format, such as chatml: of a service, to "
                                                   "score texts; of a folder or file, instead of its own.")] = "",
          candidate_format: Annotated[str, typer.Option("--candidate-format", metavar="FORMAT", help="The same of the candidate.")] = "",
          changes: Changes = None, work: Work = DEFAULT_WORK, language: Language = None, json: Json = False) -> None:
    """Judge a model from anywhere against another one. Exit code 3 unless it was shown to be better.

    Keys of services come from the environment variables BASE_API_KEY and CANDIDATE_API_KEY.
    """
    from tutelage.cli.judge import run_judge
    from tutelage.pipeline.judge import Asked
    from tutelage.pipeline.judge_models import Named

    run_judge(Asked(Named(base, base_model, base_format), Named(candidate, candidate_model, candidate_format), rows, trained_on,
                    tuple(changes or [])), work=work, language=language, as_json=json)


key = typer.Typer(no_args_is_help=True, help="Keys by which programs ask the endpoint.")
app.add_typer(key, name="key")
Label = Annotated[str, typer.Argument(metavar="LABEL", help="What the key is called, such as the program that uses it.")]


@key.command("new")
def key_new(recipe: RecipePath, label: Label,
            scopes: Annotated[list[str] | None, typer.Option("--scope", metavar="SCOPE", help="generate, admin or metrics; left out: "
                                                                                              "generate. Repeatable.")] = None,
            models: Annotated[list[str] | None, typer.Option("--model", "--models", metavar="NAME", help="A model that it may ask; left "
                                                             "out: all. Repeatable.")] = None,
            expires: Annotated[str, typer.Option("--expires", metavar="WHEN", help="Its last day, as 2027-01-31, or a number of days, as "
                                                 "90d; left out: no end.")] = "",
            client: Annotated[str, typer.Option("--client", metavar="NAME", help="Whose work it is for: it reaches models and clauses made "
                                                "of this client's documents. Left out: whom the recipe is for.")] = "",
            matter: Annotated[str, typer.Option("--matter", metavar="NAME", help="The same of one matter.")] = "",
            rate: Annotated[int | None, typer.Option("--rate", min=1, metavar="N", help="Requests a minute; left out: no limit.")] = None,
            tokens: Annotated[int | None, typer.Option("--tokens", min=1, metavar="N", help="Tokens a minute, prompts included; left "
                                                       "out: no limit.")] = None,
            parallel: Annotated[int | None, typer.Option("--parallel", min=1, metavar="N", help="Requests at the same time; left out: as "
                                                         "many as the endpoint takes.")] = None,
            work: Work = DEFAULT_WORK, language: Language = None) -> None:
    """Make a key and print it, this once."""
    from tutelage.cli.keys import KeyWish, run_new_key
    from tutelage.desk.records import Limits

    wish = KeyWish(tuple(scopes or ["generate"]), tuple(models or []), expires, client, matter,
                   Limits(requests_per_minute=rate, tokens_per_minute=tokens, parallel=parallel))
    run_new_key(recipe, label, wish, work=work, language=language)


@key.command("list")
def key_list(recipe: RecipePath, work: Work = DEFAULT_WORK, language: Language = None, json: Json = False) -> None:
    """List the keys: what each may do and until when."""
    from tutelage.cli.keys import run_keys

    run_keys(recipe, work=work, language=language, as_json=json)


@key.command("end")
def key_end(recipe: RecipePath, label: Label, work: Work = DEFAULT_WORK, language: Language = None) -> None:
    """Make a key worthless, from the next request on."""
    from tutelage.cli.keys import run_end_key

    run_end_key(recipe, label, work=work, language=language)


review = typer.Typer(no_args_is_help=True, help="Drafts judged by people who do not know which model wrote them.")
app.add_typer(review, name="review")


@review.command("sample")
def review_sample(count: Annotated[int, typer.Argument(metavar="N", min=1, help="How many clauses; each has two drafts.")],
                  work: Work = DEFAULT_WORK, language: Language = None) -> None:
    """Write a sheet with drafts of base and tuned model, mixed. A person marks each as acceptable or not."""
    from tutelage.cli.review import run_sample

    run_sample(count, work=work, language=language)


@review.command("tally")
def review_tally(folder: Annotated[Path | None, typer.Argument(metavar="[FOLDER]", help="Folder of a sheet; left out: the newest.")] = None,
                 work: Work = DEFAULT_WORK, language: Language = None, json: Json = False) -> None:
    """Tell what people marked: the share of acceptable drafts of each model with its interval, and the paired difference."""
    from tutelage.cli.review import run_tally

    run_tally(folder, work=work, language=language, as_json=json)


@review.command("edits")
def review_edits(work: Work = DEFAULT_WORK, language: Language = None, json: Json = False) -> None:
    """Tell how much people changed of what each model drafted before the drafts were approved."""
    from tutelage.cli.review import run_edits

    run_edits(work=work, language=language, as_json=json)


export = typer.Typer(no_args_is_help=True, help="Folders that leave this machine.")
app.add_typer(export, name="export")


@export.command("edge")
def export_edge(recipe: RecipePath,
                size: Annotated[str, typer.Option("--bytes", metavar="SIZE", help="What the whole folder may take: 90MB (1 MB is 10^6 "
                                                                                  "bytes).")],
                folder: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where it is written: a new folder.")],
                form: Annotated[Literal["gguf", "onnx"] | None, typer.Option("--format", help="Left out: the faster one.")] = None,
                with_make: Annotated[bool, typer.Option("--make", help="Also run `make`, as far as the scores.")] = False,
                changes: Changes = None, work: Work = DEFAULT_WORK, language: Language = None, json: Json = False) -> None:
    """Write a folder for a phone or a small board: the copy that passed its gate, a runner without Tutelage, hashes, measured memory.

    Exit code 2 when nothing fits, 3 when the gate is not open.
    """
    from tutelage.cli.exporting import run_export_edge

    run_export_edge(recipe, changes or [], size=size, form=form, folder=folder, with_make=with_make, work=work, language=language,
                    as_json=json)


@app.command()
def tasks(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the tasks are written.")],
          run: Annotated[Path | None, typer.Option("--run", metavar="MODEL", help="Run them on this model folder in "
                                                   "lm-evaluation-harness and print its figures.")] = None,
          limit: Annotated[int | None, typer.Option("--limit", min=1, help="With --run: only so many rows of each task.")] = None,
          work: Work = DEFAULT_WORK, language: Language = None, json: Json = False) -> None:
    """Write the newest held-out rows and the general set as tasks for lm-evaluation-harness and inspect_ai."""
    from tutelage.cli.review import run_tasks

    run_tasks(folder, work=work, model=run, limit=limit, language=language, as_json=json)


@app.command()
def moderation(rows: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Labelled texts, one JSON object a line: "
                                                           '{"text": "...", "labels": {"hate": true, "violence": false}}.')],
               work: Work = DEFAULT_WORK, language: Language = None) -> None:
    """Train the model behind /v1/moderations on labelled texts; without it word lists answer alone."""
    from tutelage.cli.moderation import run_moderation

    run_moderation(rows, work=work, language=language or "en")


@app.command()
def doctor(port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The port that `serve` would take.")] = 8765,
           work: Work = DEFAULT_WORK, language: Language = None, json: Json = False) -> None:
    """Tell what this machine has and lacks, and the command that mends each. Exit code 1 when something needed is lacking."""
    from tutelage.cli.doctor import run_doctor

    run_doctor(port=port, work=work, language=language or "en", as_json=json)


def main() -> None:
    """Entry point of the `tutelage` command."""
    from tutelage.cli.tongue import tongue_of
    from tutelage.core.errors import TutelageError
    from tutelage.core.language import tell_failure, text

    try:
        app()
    except TutelageError as error:
        sys.stderr.write(f"{tell_failure(error, tongue_of(sys.argv[1:]))}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write(f"{text('run.interrupted', tongue_of(sys.argv[1:]))}\n")
        sys.exit(5)
