"""The held-out rows and the general set as tasks for lm-evaluation-harness and inspect_ai: a folder that needs nothing of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from tutelage.core.chat import ChatFormat
from tutelage.core.errors import InputError
from tutelage.core.files import write_whole
from tutelage.core.records import Example, Message, Record
from tutelage.engine.remote_wire import spell
from tutelage.scores.ability import GROUPS, MOST_TOKENS, load_items

HELD_OUT, DRAFTS, ABILITY = "tutelage_held_out", "tutelage_drafts", "tutelage_ability"
LM_EVAL_TASKS = (HELD_OUT, DRAFTS, ABILITY)
FUNCTIONS = "tutelage_functions.py"
INSPECT = "inspect_tasks.py"


class Exported(Record):
    """What was written: how many rows and items, and rows left out because they hold a mark of the chat format."""

    rows: int
    items: int
    left_out: tuple[str, ...]


def export_tasks(folder: Path, rows: Sequence[Example], chat_format: ChatFormat, *, most_draft_tokens: int) -> Exported:
    """Write data, tasks and scoring into `folder`.

    Prompts for lm-evaluation-harness are spelled in `chat_format`, marks included, so that it reads what training read: run it without
    its own chat template and without an added begin token. Raises InputError if no row can be spelled.
    """
    held_out, left_out = [], []
    for row in rows:
        try:
            held_out.append(_held_out(row, chat_format))
        except InputError:
            left_out.append(row.id)
    if not held_out:
        raise InputError(f"none of {len(rows)} held-out rows can be written in the format {chat_format.name!r}: each holds one of its "
                         "marks. Leave such rows out of the dataset.")
    items = [_ability(item.model_dump(), chat_format) for item in load_items()]
    _write_lines(folder / "held_out.jsonl", held_out)
    _write_lines(folder / "ability.jsonl", items)
    for name in ("checks", "overlap"):
        write_whole(folder / f"tutelage_{name}.py", files("tutelage.scores").joinpath(f"{name}.py").read_text("utf-8"))
    limits = {"most_draft_tokens": str(most_draft_tokens), "most_ability_tokens": str(MOST_TOKENS)}
    write_whole(folder / FUNCTIONS, _template("lm_eval_functions.py.txt", {}))
    write_whole(folder / INSPECT, _template("inspect_tasks.py.txt", limits))
    for name, task in _tasks(chat_format.end, most_draft_tokens).items():
        write_whole(folder / f"{name}.yaml", _yaml(task))
    return Exported(rows=len(held_out), items=len(items), left_out=tuple(left_out))


def _held_out(row: Example, chat_format: ChatFormat) -> dict[str, object]:
    """A row. The harness counts white space at the end of a prompt as part of the reply, so that space is scored by itself as well, and
    taken off again.
    """
    prompt, whole = spell(row.prompt, chat_format, reply=True), spell(row.messages, chat_format, reply=False)
    before = prompt.rstrip()
    space, reply = prompt.removeprefix(before), whole.removeprefix(prompt)
    scored = [space, space + reply] if space else [reply]
    return {"id": row.id, "messages": _turns(row.prompt), "reference": row.text, "prompt": prompt, "before": before, "scored": scored,
            "last": len(scored) - 1, "size_bytes": len(row.text.encode("utf-8")), "document": row.document_id, "language": row.language,
            "clause_type": row.clause_type}


def _ability(item: Mapping[str, object], chat_format: ChatFormat) -> dict[str, object]:
    messages = (Message(role="user", content=str(item["prompt"])),)
    return {**item, "messages": _turns(messages), "prompt": spell(messages, chat_format, reply=True)}


def _turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _tasks(end: str, most_draft_tokens: int) -> dict[str, dict[str, object]]:
    """The YAML of each task, as data."""
    def metric(name: str, aggregation: str, higher_is_better: bool) -> dict[str, object]:
        return {"metric": name, "aggregation": aggregation, "higher_is_better": higher_is_better}

    def answers(most_tokens: int) -> dict[str, object]:
        return {"output_type": "generate_until", "doc_to_text": "{{prompt}}", "generation_kwargs": {
            "until": [end], "max_gen_toks": most_tokens, "do_sample": False, "temperature": 0.0}}

    common: dict[str, object] = {"test_split": "test", "target_delimiter": "", "num_fewshot": 0, "metadata": {"version": 1}}
    return {
        HELD_OUT: {"task": HELD_OUT, **common, "custom_dataset": "!function tutelage_functions.held_out",
                   "output_type": "multiple_choice", "doc_to_text": "{{before}}", "doc_to_choice": "scored", "doc_to_target": "last",
                   "process_results": "!function tutelage_functions.score_held_out",
                   "metric_list": [metric("bits_per_byte", "bits_per_byte", False)]},
        DRAFTS: {"task": DRAFTS, **common, "custom_dataset": "!function tutelage_functions.held_out", **answers(most_draft_tokens),
                 "doc_to_target": "{{reference}}", "process_results": "!function tutelage_functions.score_draft",
                 "metric_list": [metric("rouge_l", "mean", True), metric("chrf", "chrf", True)]},
        ABILITY: {"task": ABILITY, **common, "custom_dataset": "!function tutelage_functions.ability", **answers(MOST_TOKENS),
                  "doc_to_target": "{{id}}", "process_results": "!function tutelage_functions.score_ability",
                  "metric_list": [metric("acc", "mean", True), *(metric(f"acc_{group}", "mean", True) for group in GROUPS)]},
    }


def _yaml(task: Mapping[str, object]) -> str:
    """A task as YAML: values in JSON, which is YAML too; a function is a tag and its name."""
    lines = []
    for key, value in task.items():
        is_function = isinstance(value, str) and value.startswith("!function ")
        lines.append(f"{key}: {value if is_function else json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def _template(name: str, values: Mapping[str, str]) -> str:
    text = files("tutelage.scores").joinpath("templates", name).read_text("utf-8")
    return Template(text).substitute(values) if values else text


def _write_lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
