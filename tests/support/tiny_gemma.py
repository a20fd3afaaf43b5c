"""A tiny random Gemma 3 as a model folder, made in well under a second, for all tests: windows, two rotary bases, norms about 1."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tiny_model import TEXTS
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tutelage.core.chat import GEMMA

SPECIALS = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>")
PLAIN = ("\n", "\n\n", "  ", "<table>")  # cut out of a text before all else, but no special tokens
HIDDEN, INNER, LAYERS, HEADS, HEAD, WINDOW, CONTEXT = 64, 96, 6, 4, 32, 16, 2048
WORDS = ("the supplier pays each invoice within thirty days; the deposit is final.", "notice, delivery, audit, licence, report, renewal",
         "system user model You draft contract clauses. Write a clause. Keywords:")


def make_tokenizer(size: int = 260) -> Tokenizer:
    """BPE on characters with bytes for those it lacks, as Gemma's: a merge for each way to halve a token."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    trained.train_from_iterator([*TEXTS, *WORDS], trainers.BpeTrainer(vocab_size=size, show_progress=False))
    pieces = [piece for piece, _ in sorted(trained.get_vocab().items(), key=lambda pair: pair[1]) if piece.strip()]
    tokens = [*SPECIALS, *PLAIN, *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    merges = [(piece[:place], piece[place:]) for piece in pieces for place in range(1, len(piece))
              if piece[:place] in vocabulary and piece[place:] in vocabulary]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in PLAIN])
    return tokenizer


def make_weights(vocabulary: int, *, seed: int) -> dict[str, np.ndarray]:
    """Random fp32 weights; those of norms lie about 0, which stands for 1."""
    draw = np.random.default_rng(seed)

    def random(*shape: int, scale: float) -> np.ndarray:
        return (draw.standard_normal(shape) * scale).astype(np.float32)

    weights = {"model.embed_tokens.weight": random(vocabulary, HIDDEN, scale=0.2), "model.norm.weight": random(HIDDEN, scale=0.2)}
    matrices = {"self_attn.q_proj": (HEADS * HEAD, HIDDEN), "self_attn.k_proj": (HEAD, HIDDEN), "self_attn.v_proj": (HEAD, HIDDEN),
                "self_attn.o_proj": (HIDDEN, HEADS * HEAD), "mlp.gate_proj": (INNER, HIDDEN), "mlp.up_proj": (INNER, HIDDEN),
                "mlp.down_proj": (HIDDEN, INNER)}
    norms = {"input_layernorm": HIDDEN, "post_attention_layernorm": HIDDEN, "pre_feedforward_layernorm": HIDDEN,
             "post_feedforward_layernorm": HIDDEN, "self_attn.q_norm": HEAD, "self_attn.k_norm": HEAD}
    for layer in range(LAYERS):
        for name, (rows, columns) in matrices.items():
            weights[f"model.layers.{layer}.{name}.weight"] = random(rows, columns, scale=columns ** -0.5)
        for name, width in norms.items():
            weights[f"model.layers.{layer}.{name}.weight"] = random(width, scale=0.2)
    return weights


def make_tiny_gemma(folder: Path, *, seed: int = 0) -> Path:
    """Write config.json, model.safetensors, tokenizer.json and chat.json (Gemma's format) into `folder`, and give it back."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    size = tokenizer.get_vocab_size()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": 1, "head_dim": HEAD, "vocab_size": size, "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-6,
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e6},
                            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}},
        "sliding_window": WINDOW, "layer_types": ["sliding_attention"] * 5 + ["full_attention"], "query_pre_attn_scalar": HEAD,
        "tie_word_embeddings": True, "attention_bias": False, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0, "unk_token_id": 3,
        "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    save_file(make_weights(size, seed=seed), str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "chat.json").write_text(GEMMA.model_dump_json(), encoding="utf-8")
    return folder
