"""Learning rates inside and outside the usual range, and 16 to 64 rows a step, on the same rows of the demo's dataset, each seen once.

`make bench NAME=sweep`. Option: the work folder of a demo whose dataset is made, which is only read; else the dataset is made first. Each
training runs in a process of its own, one seed each.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import at_most, finish
from training_methods import bits_after, prepare, run

ROWS, VALIDATION, USUAL_ROWS = 128, 32, 16
FULL = (1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3)  # 1e-5 to 1e-4 is the usual range of full tuning; 1e-4 is the default
LORA = (1e-4, 5e-4, 2e-3, 1e-2)  # 1e-4 to 2e-3 is the method's sane range; 2e-3 is the default
BATCHES = (32, 64)
NOISE = 0.02  # of one seed on 32 rows: differences below it mean nothing


def cases() -> dict[str, dict[str, object]]:
    """What is trained, by name."""
    found: dict[str, dict[str, object]] = {f"full {rate:g}": {"method": "full", "learning_rate": rate} for rate in FULL}
    found |= {f"lora {rate:g}": {"learning_rate": rate} for rate in LORA}
    return found | {f"full 0.0001, {rows} rows": {"method": "full", "learning_rate": 1e-4, "batch_rows": rows} for rows in BATCHES}


def main() -> None:
    """Train each case, and write what came out; a default must lie within noise of the best of its method at 16 rows a step."""
    told: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = prepare(sys.argv[1:], Path(scratch), train=ROWS, validation=VALIDATION)
        for name, changed in cases().items():
            steps = ROWS // int(str(changed.get("batch_rows", USUAL_ROWS)))
            told[name] = run(Path(scratch), folder, {"batch_rows": USUAL_ROWS, "warmup_steps": 1, "maximum_steps": steps,
                                                     "validate_every": steps, **changed})
            print(name, told[name], file=sys.stderr, flush=True)
    after = {name: bits_after(one) for name, one in told.items()}
    behind = {f"{method}_default_behind_best": round(after[default] / min(after[f"{method} {rate:g}"] for rate in rates) - 1, 4)
              for method, rates, default in (("full", FULL, "full 0.0001"), ("lora", LORA, "lora 0.002"))}
    finish("sweep", {"rows": ROWS, "validation_rows": VALIDATION, "rows_a_step": USUAL_ROWS, "seeds": 1, "cases": told, **behind},
           [at_most(name, NOISE) for name in behind])


if __name__ == "__main__":
    main()
