"""The tokenizer of an older model folder, which has no tokenizer.json: WordPiece of BERT, or byte-level BPE of GPT-2 and RoBERTa."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from tutelage.core.errors import InputError
from tutelage.engine.kinds import read_config

WORDS, PIECES, MERGES = "vocab.txt", "vocab.json", "merges.txt"
# The tokens around a text, by family.
FRAMES = {"bert": ("[CLS]", "[SEP]"), "roberta": ("<s>", "</s>")}
SPECIALS = {"bert": ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"), "roberta": ("<s>", "<pad>", "</s>", "<unk>", "<mask>"),
            "gpt2": ("<|endoftext|>",)}
READABLE = {"bert": (WORDS,), "roberta": (PIECES, MERGES), "gpt2": (PIECES, MERGES)}


def has_plain_vocabulary(folder: Path) -> bool:
    """Whether `read_plain_vocabulary` can make a tokenizer of the folder's files."""
    needed = READABLE.get(read_config(folder)["model_type"], ())
    return bool(needed) and all((folder / name).is_file() for name in needed)


def read_plain_vocabulary(folder: Path) -> Tokenizer:
    """The tokenizer. Raises InputError for files that belong to no family known here."""
    family = read_config(folder)["model_type"]
    if not has_plain_vocabulary(folder):
        known = "; ".join(f"{name} from {' and '.join(files)}" for name, files in READABLE.items())
        raise InputError(f"{folder}: has no tokenizer.json, and none can be made of its files for the family {family!r} (known: {known}). "
                         "Open it once where transformers can read it, save its fast tokenizer, and put tokenizer.json into the folder.")
    tokenizer = _word_pieces(folder) if family == "bert" else _bytes(folder)
    vocabulary = tokenizer.get_vocab()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS[family] if token in vocabulary])
    if family in FRAMES:
        first, last = FRAMES[family]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {last}", special_tokens=[(token, vocabulary[token]) for token in (first, last)])
    return tokenizer


def _word_pieces(folder: Path) -> Tokenizer:
    tokens = (folder / WORDS).read_text("utf-8").splitlines()
    lower = _settings(folder).get("do_lower_case")
    if lower is None:  # BioBERT's older folders do not say it; a vocabulary with capitals needs them
        lower = not any(token != token.lower() for token in tokens if not token.startswith("["))
    tokenizer = Tokenizer(models.WordPiece({token: number for number, token in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=bool(lower))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _bytes(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE.from_file(str(folder / PIECES), str(folder / MERGES)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    settings: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return settings
