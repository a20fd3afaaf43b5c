"""What may be asked of the model stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tutelage.core.settings import Settings


class Target(Settings):
    """What the copy must keep to; one of the three. All copies that are allowed are tried, and the best of those that are no worse is kept:
    the fastest within a limit of bytes or memory, the smallest that is fast enough.
    """

    megabytes: float = Field(0, ge=0)
    """The file may have at most so many MB (10^6 bytes); 0 sets no limit."""

    memory_megabytes: float = Field(0, ge=0)
    """A process that serves 8 answers at once may hold at most so many MB; 0 sets no limit."""

    tokens_per_second: float = Field(0, ge=0)
    """One answer alone must be written at least so fast on this machine, its prompt read included; 0 asks for no speed."""

    @model_validator(mode="after")
    def _one(self) -> Target:
        asked = [name for name in ("megabytes", "memory_megabytes", "tokens_per_second") if getattr(self, name)]
        if len(asked) > 1:
            raise ValueError(f"asks for {' and '.join(asked)}; a search has one target. Keep one of them.")
        return self

    @property
    def is_set(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.megabytes or self.memory_megabytes or self.tokens_per_second)


class ModelSettings(Settings):
    """How the trained model is merged, exported, and compared with its copy. The defaults suit serving on a processor."""

    quantisation: Literal["q4_k_m", "q5_k_m", "q8_0", "f16"] = "q8_0"
    """How weights are kept in the copy that is served: "q4_k_m" and "q5_k_m" about 5 and 6 bits (llama.cpp's mixtures), "q8_0" 8 bits (a
    quarter of the size), "f16" 16 bits (half, nearly exact)."""

    adapter: Literal["merged", "apart"] = "merged"
    """"apart" leaves what was learned as an adapter (LoRA) on a copy of the base: models of the same base and `quantisation` then share
    that copy in memory where they are served together (`tutelage serve --also`). It is measured and scored as it is served."""

    trim: Literal["none", "vocabulary"] = "none"
    """"vocabulary" keeps only the tokens that the training rows use and the commonest others, with all bytes, signs and what frames a chat:
    a smaller embedding and output layer. Any text can still be written; one unlike the training rows takes more tokens."""

    trim_tokens: int = Field(30_000, ge=0)
    """With `trim`: where the training rows use fewer tokens than this, the vocabulary's own first ones of the same characters fill up; 0
    adds none. Rare words of other texts cost much when they must be spelled, docs/stages/model.md."""

    trim_margin: float = Field(0.01, ge=0)
    """With `trim`: share by which bits per byte of the unseen answers may rise, with 95 % confidence; else the vocabulary stays whole or,
    without `fallback`, the stage ends."""

    importance_rows: int = Field(16, ge=0)  # 12 rows halved what 4 bits cost SmolLM2-135M, docs/stages/model.md
    """How many training rows tell which weights matter most, so that "q4_k_m" and "q5_k_m" round those least; 0 treats all alike."""

    fallback: bool = True
    """What happens when a copy is refused: the next larger one is tried, up to 16 bits; the refusal is told and kept as evidence."""

    onnx: Literal["none", "fp32", "int8", "int8_blocks", "int4"] = "none"
    """An ONNX copy beside the one that is served, in the folder onnx-<kind>: "int8_blocks" costs about nothing and runs in ONNX Runtime,
    "int8" runs in any ONNX program, "int4" is the smallest. One that is worse is removed, or, without `fallback`, ends the stage. With a
    `target` all four are tried, and the best that keeps to it is kept."""

    minimum_agreement: float = Field(0.95, ge=0, le=1)
    """Share of the compared unseen prompts on which the copy must begin its answer with the same token as the model in fp32."""

    parity_prompts: int = Field(200, ge=1)
    """How many prompts of validation rows are compared at most, the first by id (of held-out rows, where the dataset has fewer than 16
    validation rows). Token ids must agree on all of them."""

    drop_layers: int = Field(0, ge=0)
    """How many of the model's layers are dropped, those that change least on training rows. The copy is smaller and faster by about their
    share, and answers worse; it stands only within `drop_margin`."""

    drop_channels: float = Field(0, ge=0, lt=1)
    """Share of the channels between the feed-forward matrices that is taken out of each layer, those that add least on training rows, in
    whole blocks of 256 or 32. The copy is smaller and faster, and answers worse; it stands only within `drop_margin`."""

    drop_heads: int = Field(0, ge=0)
    """How many attention heads are taken out of each layer, those that add least on training rows: whole groups that share keys and values,
    or as many of every group. It stands only within `drop_margin`."""

    sparsity: Literal["2_of_4"] | Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Sets this share of the weights inside the layers to 0, those that matter least on training rows, or with "2_of_4" two of every four
    neighbours. On a processor nothing gets smaller or faster by it; it stands only within `drop_margin`."""

    heal_steps: int = Field(100, ge=0)
    """With `drop_layers`, `drop_channels`, `drop_heads` or `sparsity`: optimiser steps in which what is left learns from the model before
    the step, on the training rows; 0 heals nothing."""

    drop_margin: float = Field(0.05, ge=0)
    """With these: share by which bits per byte of the unseen answers may rise, with 95 % confidence; else the model before the step is
    taken, or, without `fallback`, the stage ends."""

    measure: Literal["off", "quick", "full"] = "quick"
    """What is measured of each copy on unseen rows and kept as evidence: bits per byte, divergence, flips, and in a process of its own
    load time, memory and speed. "quick" takes 16 rows and a few answers, "full" all `parity_prompts` rows, "off" nothing."""

    target: Target = Target()
    """Searches the copy by what it must keep to, over all sizes and with and without the changes of shape that are asked for;
    `quantisation` is not read then."""

    @model_validator(mode="after")
    def _one_shape(self) -> ModelSettings:
        changed = [name for name in ("trim", "drop_layers", "drop_channels", "drop_heads", "sparsity")
                   if getattr(self, name) not in ("none", 0, 0.0)]
        changed += ["target"] if self.target.is_set else []
        if self.adapter == "apart" and changed:
            raise ValueError(f"asks for {', '.join(changed)} and adapter: apart; an adapter stands on a base whose shape is whole. Leave "
                             "one of the two out.")
        return self

    @property
    def healed_steps(self) -> tuple[tuple[str, ...], ...]:
        """Of each step that takes something out of the model and is asked for: the settings that ask for it."""
        steps = (("drop_layers",), ("drop_channels", "drop_heads"), ("sparsity",))
        asked = (tuple(name for name in step if getattr(self, name)) for step in steps)
        return tuple(step for step in asked if step)
