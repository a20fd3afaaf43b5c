"""What `training.json` says of a training."""

from __future__ import annotations

from tutelage.core.records import Record
from tutelage.training.budget import Chosen
from tutelage.training.class_rows import ClassScores
from tutelage.training.fitting import Lost
from tutelage.training.preflight import Lengths
from tutelage.training.promise import Kept, Promise
from tutelage.training.proof import Proof
from tutelage.training.trim import Trimmed


class Summary(Record):
    """`training.json`: what came out, what it came from, and what it took.

    Losses are nats a `unit` (a learned token, or a row) on the validation rows; bits a byte and the score (share that is right) are
    None where the task has none. `classes` tells how well a classifier names held-out rows. `shrunk_at` has the steps at which memory
    ran out and fewer tokens were computed at once from then on, at last `micro_batch_tokens`. `path` is "packed" or "padded"; both
    compute the same. `promise` and `kept` are None where several processes trained: no probe was made. `trimmed` is None where the base
    kept its vocabulary; with a trimmed one `base` names the whole base, and all that is said of a base is of the trimmed one.
    """

    base: str
    base_sha256: str
    chat_format_hash: str
    tokenizer_sha256: str
    dataset: str
    task: str
    method: str
    learning_rate: float
    unit: str
    weights_sha256: str
    steps: int
    best_step: int
    stopped_early: bool
    base_loss: float
    best_loss: float
    base_bits_per_byte: float | None
    best_bits_per_byte: float | None
    base_score: float | None
    best_score: float | None
    proof: Proof
    classes: ClassScores | None
    micro_batch_tokens: int
    shrunk_at: tuple[int, ...]
    tokens: int
    tokens_per_second: float
    seconds: float
    supervised_share: float
    tokens_lost: int
    lost: Lost
    train: Lengths
    validation: Lengths
    device: str
    path: str
    threads: int
    chosen: tuple[Chosen, ...]
    processes: int
    promise: Promise | None
    kept: Kept | None
    trimmed: Trimmed | None
