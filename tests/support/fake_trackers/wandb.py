"""Stands in for Weights & Biases: writes down all that it is given or could read, and breaks or hangs when WANDB_FAKE says so.

WANDB_FAKE is `well`, `breaks at the start`, `breaks at step N` or `hangs`; WANDB_FAKE_FILE is where it writes.
"""

import json
import os
import time
from pathlib import Path

HOW, PLACE = os.environ["WANDB_FAKE"], Path(os.environ["WANDB_FAKE_FILE"])


def _write(**told):
    with PLACE.open("a") as file:
        file.write(json.dumps(told, default=vars) + "\n")


class Settings:
    def __init__(self, **given):
        self.given = given


class _Run:
    def log(self, figures, step):
        if f"breaks at step {step}" == HOW:
            raise ConnectionError("the service is gone")
        _write(step=step, figures=figures)

    def finish(self, exit_code):
        _write(exit_code=exit_code)


def init(**given):
    _write(init=given, environment=dict(os.environ))
    if HOW == "breaks at the start":
        raise ConnectionError("no such project")
    while HOW == "hangs":
        time.sleep(1)
    return _Run()
