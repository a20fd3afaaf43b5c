"""What may be asked of the training stage."""

from typing import Literal

from pydantic import Field

from tutelage.core.settings import Settings


class TrainingSettings(Settings):
    """How the base model is tuned. The defaults suit a 135 M model on two cores in about seven minutes."""

    base: str = "smollm2-135m-instruct"
    """The model to tune: the name of a packaged model, a model folder, or a .gguf file."""

    task: Literal["sft", "pretraining"] = "sft"
    """What is learned: "sft" replies to prompts, "pretraining" plain texts, all of their tokens."""

    method: Literal["lora"] = "lora"
    """How weights are changed. "lora" learns small additions to all linear layers and leaves the base as it is."""

    rank: int = Field(default=16, ge=1, le=256)
    """Width of the low-rank additions. More holds more, and costs a little more time."""

    alpha: int = Field(default=32, ge=1)
    """Strength of the additions: they are scaled by alpha / rank."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the adapter's inputs that is switched off at random while training. Above 0 the fast path is not taken."""

    learning_rate: float | None = Field(default=None, gt=0)
    """Highest step size; left out, the method's own: 2e-3 for LoRA, where 1e-4 to 2e-3 is sane, about ten times that of full tuning.
    Outside the method's range a warning is given. The upper end suits short trainings."""

    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the step size falls after the warm-up: to 0 along a cosine or a line, or not at all."""

    warmup_steps: int = Field(default=5, ge=0)
    """Steps over which the step size rises to its highest value."""

    batch_rows: int = Field(default=8, ge=1)
    """Rows that one optimiser step learns from."""

    micro_batch_tokens: int = Field(default=2048, ge=1)
    """Tokens that are computed at once: less memory for a little speed. It does not change what is learned."""

    maximum_steps: int = Field(default=70, ge=1)
    """Optimiser steps at most. Rows are seen again when they do not suffice."""

    maximum_tokens: int = Field(default=1024, ge=8)
    """Longest row, prompt and reply together. Nothing is ever cut: see `too_long`."""

    too_long: Literal["drop", "refuse"] = "drop"
    """What happens to rows over `maximum_tokens`: left out, with the tokens lost reported; or the run is refused."""

    validate_every: int = Field(default=20, ge=1)
    """Steps between two measurements on all validation rows. The first is before the training, the last after it."""

    patience: int = Field(default=3, ge=1)
    """Measurements in a row without enough gain after which the training stops early."""

    minimum_gain: float = Field(default=0.002, ge=0)
    """Fall of the validation loss, in nats a token, that counts as a gain."""

    checkpoint_every: int = Field(default=10, ge=1)
    """Steps between two checkpoints: a killed run goes on from the last one."""

    threads: int | None = Field(default=None, ge=1)
    """Processor threads; left out, all cores. Another number may change the last digits of the weights."""

    seed: int = 0
    """Fixes the first weights of the adapter and the order of the rows."""
