"""Tiny random models of every family by their configuration: each with two layers, a width of 64 and a tokenizer of its kind."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tiny_model import TEXTS, make_tokenizer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tutelage.core.chat import CHATML

WIDTH, INNER, LAYERS, HEADS, GROUPS, CONTEXT = 64, 96, 2, 4, 2, 512
SHAPE: dict[str, Any] = {"hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
                         "max_position_embeddings": CONTEXT}
STILL: dict[str, Any] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
GROUPED = SHAPE | {"num_key_value_heads": GROUPS, "tie_word_embeddings": True}
QWEN = GROUPED | {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}
GEMMA = GROUPED | {"num_hidden_layers": 6, "head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 16}
CONFIGS: dict[str, Callable[..., Any]] = {
    "gpt2": lambda **ids: transformers.GPT2Config(n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, resid_pdrop=0.0,
                                                  embd_pdrop=0.0, attn_pdrop=0.0, **ids),
    "gpt_neox": lambda **ids: transformers.GPTNeoXConfig(**SHAPE, **ids),
    "llama": lambda **ids: transformers.LlamaConfig(**GROUPED, **ids),
    "qwen2": lambda **ids: transformers.Qwen2Config(**QWEN, **ids),
    "qwen3": lambda **ids: transformers.Qwen3Config(**QWEN, head_dim=32, **ids),
    "gemma3_text": lambda **ids: transformers.Gemma3TextConfig(**GEMMA, **ids),
    "mistral": lambda **ids: transformers.MistralConfig(**GROUPED, sliding_window=None, **ids),
    "biogpt": lambda **ids: transformers.BioGptConfig(**SHAPE, **STILL, activation_dropout=0.0, layerdrop=0.0, **ids),
    "bert": lambda **ids: transformers.BertConfig(**SHAPE, **STILL, **ids),
    "roberta": lambda **ids: transformers.RobertaConfig(**SHAPE, **STILL, **ids),
    "t5": lambda **ids: transformers.T5Config(d_model=WIDTH, d_kv=16, d_ff=INNER, num_layers=LAYERS, num_heads=HEADS, dropout_rate=0.0,
                                              decoder_start_token_id=0, **ids),
}
DECODERS = ("gpt2", "gpt_neox", "llama", "qwen2", "qwen3", "gemma3_text", "mistral", "biogpt")
HEADS_OF = {"bert": transformers.AutoModelForMaskedLM, "roberta": transformers.AutoModelForMaskedLM,
            "t5": transformers.AutoModelForSeq2SeqLM}
WORD_PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
AROUND = {"bert": ("[CLS]", "[SEP]"), "roberta": ("<s>", "</s>"), "t5": ("", "</s>")}


def make_tiny(family: str, folder: Path, *, seed: int = 0) -> Path:
    """Write config.json, model.safetensors, tokenizer.json and, for a decoder, chat.json (ChatML) into `folder`, and give it back."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer(family)
    tokenizer.save(str(folder / "tokenizer.json"))
    ids: dict[str, Any] = {"vocab_size": tokenizer.get_vocab_size(), "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    torch.manual_seed(seed)
    model = HEADS_OF.get(family, transformers.AutoModelForCausalLM).from_config(CONFIGS[family](initializer_range=0.15, **ids))
    with torch.no_grad():  # biases and norms as training leaves them, not as it finds them
        for weight in model.parameters():
            if weight.ndim == 1:
                weight += 0.1 * torch.randn_like(weight)
    model.save_pretrained(folder)
    if family in DECODERS:
        (folder / "chat.json").write_text(CHATML.model_dump_json(), encoding="utf-8")
    return folder


def tiny_tokenizer(family: str) -> Tokenizer:
    """Byte-level BPE with ChatML's tokens for decoders, WordPiece for BERT, byte-level BPE with their own tokens for RoBERTa and T5."""
    if family in DECODERS:
        return make_tokenizer(TEXTS)
    tokenizer = word_pieces() if family == "bert" else byte_pieces()
    first, last = AROUND[family]
    around = [token for token in (first, last) if token]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join(filter(None, (first, "$A", last))), special_tokens=[(token, tokenizer.token_to_id(token)) for token in around])
    return tokenizer


def word_pieces() -> Tokenizer:
    """BERT's kind: whole words of the texts, and single characters. Written out, as training one gives other ids each time."""
    signs = sorted({*string.ascii_lowercase, *string.digits, *string.punctuation, *"".join(TEXTS).lower().replace(" ", "")})
    words = sorted({word for text in TEXTS for word in re.findall("[a-z]{2,}", text.lower())})
    tokens = [*WORD_PIECES, *signs, *(f"##{sign}" for sign in signs), *words]
    tokenizer = Tokenizer(models.WordPiece({token: number for number, token in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(WORD_PIECES))
    return tokenizer


def byte_pieces() -> Tokenizer:
    """RoBERTa's kind, which also serves for T5."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<pad>", "<s>", "</s>", "<unk>", "<mask>"], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    return tokenizer
