"""A tiny random Llama as a model folder, made in well under a second without torch, for all tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tutelage.core.chat import CHATML

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
HIDDEN, INNER, LAYERS, HEADS, KV_HEADS, HEAD = 64, 128, 2, 4, 2, 16
CONTEXT = 2048
TEXTS = (
    "The Supplier shall pay the Customer within thirty (30) days after the invoice date.",
    "Neither party is liable for any indirect loss. The liability cap is 100,000 euros.",
    "This Agreement is governed by the laws of the place where the Customer has its seat.",
    "甲方应当在收到发票后三十日内付款。乙方对保密信息负有保密义务，保密期限为三年。",
)


def make_tokenizer(texts: Sequence[str], *, size: int = 400, marks: Sequence[str] = ()) -> Tokenizer:
    """A byte-level BPE vocabulary of at most `size` tokens, digits split one by one, ChatML specials first, then `marks`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[*SPECIALS, *marks], show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(list(texts), trainer)
    return tokenizer


def make_weights(vocabulary: int, *, seed: int) -> dict[str, np.ndarray]:
    """Random fp32 weights whose logits have a spread of about 1, so that the likeliest token is no near-tie."""
    draw = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, scale: float) -> np.ndarray:
        return (draw.standard_normal((rows, columns)) * scale).astype(np.float32)

    weights = {"model.embed_tokens.weight": matrix(vocabulary, HIDDEN, 0.15), "model.norm.weight": np.ones(HIDDEN, np.float32)}
    shapes = {"self_attn.q_proj": (HEADS * HEAD, HIDDEN), "self_attn.k_proj": (KV_HEADS * HEAD, HIDDEN),
              "self_attn.v_proj": (KV_HEADS * HEAD, HIDDEN), "self_attn.o_proj": (HIDDEN, HEADS * HEAD),
              "mlp.gate_proj": (INNER, HIDDEN), "mlp.up_proj": (INNER, HIDDEN), "mlp.down_proj": (HIDDEN, INNER)}
    for layer in range(LAYERS):
        for name, (rows, columns) in shapes.items():
            weights[f"model.layers.{layer}.{name}.weight"] = matrix(rows, columns, columns ** -0.5)
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"model.layers.{layer}.{name}.weight"] = np.ones(HIDDEN, np.float32)
    return weights


def make_tiny_model(folder: Path, *, seed: int = 0, texts: Sequence[str] | None = None, marks: Sequence[str] = ()) -> Path:
    """Write config.json, model.safetensors, tokenizer.json and chat.json (ChatML) into `folder`, and give it back.

    `marks` are special tokens beside those of ChatML.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer(texts or TEXTS, marks=marks)
    size = tokenizer.get_vocab_size()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": HIDDEN, "intermediate_size": INNER,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD, "vocab_size": size,
        "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-5, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
        "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    save_file(make_weights(size, seed=seed), str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "chat.json").write_text(CHATML.model_dump_json(), encoding="utf-8")
    return folder
