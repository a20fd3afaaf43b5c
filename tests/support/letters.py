"""A vocabulary whose ids can be read: for tests that write the ids of a chat format by hand."""

from __future__ import annotations

from collections.abc import Sequence


class Letters:
    """A vocabulary in which each character is its code point, and a special token has a number from 2,000 on."""

    specials = ("<s>", "</s>", "[INST]", "[/INST]", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
                "<|im_start|>", "<|im_end|>", "<bos>", "<start_of_turn>", "<end_of_turn>")

    def tokenize(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def special(self, token: str) -> int:
        return 2000 + self.specials.index(token)

    def detokenize(self, token_ids: Sequence[int]) -> str:
        return "".join(chr(token) if token < 2000 else self.specials[token - 2000] for token in token_ids)
