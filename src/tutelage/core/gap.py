"""THE rendering of a gap to token ids: what stands before it and after it, as models that fill gaps were trained to read it."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.engine import CannotDo, Tokenizer
from tutelage.core.errors import InputError
from tutelage.core.records import Record


class GapForm(Record):
    """How a family of models reads a gap: `before` and the text before it, `after` and the text after it, `fill`, and then it writes.

    `ends` are further tokens that end what it writes, those of them that the vocabulary has.
    """

    name: str
    before: str
    after: str
    fill: str
    ends: tuple[str, ...]


# Sources: arXiv:2409.12186 (Qwen2.5-Coder; CodeGemma, arXiv:2406.11409, has the same marks), 2305.06161 (StarCoder), 2401.14196.
GAP_FORMS = (
    GapForm(name="qwen_coder", before="<|fim_prefix|>", after="<|fim_suffix|>", fill="<|fim_middle|>",
            ends=("<|endoftext|>", "<|fim_pad|>", "<|file_sep|>", "<|repo_name|>", "<|file_separator|>")),
    GapForm(name="starcoder", before="<fim_prefix>", after="<fim_suffix>", fill="<fim_middle>",
            ends=("<|endoftext|>", "<fim_pad>", "<file_sep>", "<repo_name>")),
    GapForm(name="deepseek_coder", before="<｜fim▁begin｜>", after="<｜fim▁hole｜>", fill="<｜fim▁end｜>", ends=("<｜end▁of▁sentence｜>",)))


class Prompt(Record):
    """Token ids of a prompt, and the tokens that end the reply to it."""

    ids: tuple[int, ...]
    end_ids: tuple[int, ...]


def render_gap(before: Sequence[int], after: str, tokenizer: Tokenizer) -> Prompt:
    """Token ids of a gap between `before`, which is tokens already, and `after`.

    Raises CannotDo for a vocabulary without the marks of any form: such a model was never shown a gap.
    """
    for form in GAP_FORMS:
        marks = [_id(tokenizer, mark) for mark in (form.before, form.after, form.fill)]
        first, second, third = marks
        if first is None or second is None or third is None:
            continue
        ends = [_id(tokenizer, end) for end in form.ends]
        return Prompt(ids=(first, *before, second, *tokenizer.tokenize(after), third),
                      end_ids=tuple(end for end in (*ends, *marks) if end is not None))
    known = ", ".join(form.before for form in GAP_FORMS)
    raise CannotDo(f"this model cannot fill a gap: its vocabulary has no tokens that mark one (known are {known}). Send what stands before "
                   "alone, or serve a model that was made for code, such as Qwen2.5-Coder.")


def _id(tokenizer: Tokenizer, token: str) -> int | None:
    try:
        return tokenizer.special(token)
    except InputError:
        return None
