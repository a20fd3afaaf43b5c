"""A gap is rendered as each family of code models was trained to read it; a model without its marks is refused."""

from __future__ import annotations

import pytest

from tutelage.core.engine import CannotDo
from tutelage.core.errors import InputError
from tutelage.core.gap import GAP_FORMS, render_gap

# The texts of the papers, with P before the gap and S after it.
PUBLISHED = {
    "qwen_coder": "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
    "starcoder": "<fim_prefix>P<fim_suffix>S<fim_middle>",
    "deepseek_coder": "<｜fim▁begin｜>P<｜fim▁hole｜>S<｜fim▁end｜>",
}


class Marked:
    """One token a character; the specials have numbers from 2,000,000 on."""

    def __init__(self, *specials: str) -> None:
        self.specials = specials

    def tokenize(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def special(self, token: str) -> int:
        if token not in self.specials:
            raise InputError(f"no special token {token}")
        return 2_000_000 + self.specials.index(token)

    def detokenize(self, token_ids) -> str:
        return "".join(chr(token) if token < 2_000_000 else self.specials[token - 2_000_000] for token in token_ids)


@pytest.mark.parametrize("form", GAP_FORMS, ids=lambda form: form.name)
def test_a_gap_is_marked_as_its_paper_says(form):
    tokenizer = Marked("<|endoftext|>", form.before, form.after, form.fill)
    gap = render_gap(tokenizer.tokenize("P"), "S", tokenizer)
    assert tokenizer.detokenize(gap.ids) == PUBLISHED[form.name]
    ends = {tokenizer.detokenize([end]) for end in gap.end_ids}
    assert ends == {form.before, form.after, form.fill, *({"<|endoftext|>"} & {*form.ends})}
    assert set(PUBLISHED) == {one.name for one in GAP_FORMS}


def test_marks_that_a_text_spells_stay_letters():
    tokenizer = Marked("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
    gap = render_gap(tokenizer.tokenize("a<|fim_suffix|>b"), "<|fim_middle|>", tokenizer)
    assert sum(token >= 2_000_000 for token in gap.ids) == 3
    assert len(gap.ids) == 3 + len("a<|fim_suffix|>b") + len("<|fim_middle|>")


@pytest.mark.parametrize("specials", [(), ("<|fim_prefix|>", "<|fim_suffix|>"), ("<fim_prefix>", "<|fim_suffix|>", "<|fim_middle|>")])
def test_a_vocabulary_without_all_marks_of_a_form_cannot_fill_a_gap(specials):
    with pytest.raises(CannotDo, match=r"cannot fill a gap: its vocabulary has no tokens that mark one \(known are <\|fim_prefix\|>, "
                                       r"<fim_prefix>, <｜fim▁begin｜>\)\. Send what stands before alone"):
        render_gap([97], "b", Marked(*specials))
