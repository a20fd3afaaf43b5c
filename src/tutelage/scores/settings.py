"""What may be asked of the scores."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tutelage.core.settings import Settings


class ScoresSettings(Settings):
    """How many held-out rows are measured, how drafts are decoded, and what the gate demands."""

    held_out: int = Field(default=150, ge=1)
    """At most this many held-out rows are scored, drawn at random with `seed`; 150 show a gain of 0.12 bits per byte to within 0.01."""

    drafts: int = Field(default=48, ge=0)
    """How many of the scored rows every candidate drafts (spread over the clause types); 0 drafts none and measures bits per byte only."""

    memory: Literal["off", "quick", "full"] = "quick"
    """Whether the page says what the tuned model gives away of its training rows. "quick" probes `memory_rows` of them; "full" also
    measures planted test texts (`dataset.canaries: on`) and asks the copy for personal data, and both become rules of the gate."""

    memory_rows: int = Field(default=40, ge=1)
    """How many training rows are probed, beside as many held-out ones. With `memory: full` as many as are scored are told apart, and
    this many are continued."""

    ability: bool = False
    """Whether every candidate also answers the general set: 60 questions of English, Chinese, arithmetic, instructions and refusal."""

    beside: tuple[Literal["retrieval", "base_with_prompt", "base_with_retrieval", "tuned_with_retrieval"], ...] = ("retrieval",)
    """What is measured beside the three candidates, on the same rows, without deciding anything: `retrieval` (the best clause of the
    library alone; no model is asked), `base_with_prompt` (the best of three fuller instructions, chosen on validation rows),
    `base_with_retrieval`, `tuned_with_retrieval` (the library's clause stands in the prompt). Each model costs what the base costs."""

    outside: str = ""
    """Address of an OpenAI-compatible service that drafts the same rows, for comparison (key: OUTSIDE_API_KEY). It decides nothing, and
    is refused where any source is for a client only."""

    outside_model: str = ""
    """Name of the model at that address."""

    judge: str = ""
    """A judge model that compares the drafts of copy and base in both orders: a base model's name, a folder, a .gguf file, or the address
    of an OpenAI-compatible service (key: JUDGE_API_KEY). Left out: none. It never decides the gate."""

    judge_model: str = ""
    """Name of the judge model at its address."""

    max_draft_tokens: int = Field(default=128, ge=1)
    """A draft is cut after this many tokens; a cut draft counts as one that did not stop by itself."""

    repetition_penalty: float = Field(default=1.1, ge=1.0, le=2.0)
    """Makes repeated tokens less likely while drafting; 1.0 is none. Without it greedy drafts of small models go round in circles."""

    rouge_stems: bool = False
    """Whether ROUGE takes English words of one stem for the same ("pays" and "paying"), as figures of published papers often do."""

    seed: int = 0
    """Draws the rows and the resamples: the same seed gives the same numbers."""

    bootstrap: int = Field(default=10_000, ge=1_000)
    """How many resamples of documents an interval rests on."""

    alpha: float = Field(default=0.05, gt=0.0, lt=0.5)
    """Chance of calling a difference where there is none; 0.05 gives 95 % intervals."""

    copy_margin_bits_per_byte: float = Field(default=0.01, gt=0.0)
    """The copy may cost at most this many bits per byte against the tuned model: a twelfth of what tuning gains in the demo."""
