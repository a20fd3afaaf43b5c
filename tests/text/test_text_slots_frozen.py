"""The figures of the slots are those of a frozen parser: whoever changes it must label anew, or say that they are no longer honest."""

import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FROZEN = (ROOT / "benchmarks" / "data" / "README.md").read_text("utf-8").split("```")[3]


def test_the_parser_in_use_is_the_one_that_was_frozen_before_the_last_sentences_were_written():
    written = dict(reversed(pair) for pair in re.findall(r"([0-9a-f]{64})  (\S+)", FROZEN))
    assert len(written) == 8
    text = ROOT / "src" / "tutelage" / "text"
    assert {name: hashlib.sha256((text / name).read_bytes()).hexdigest() for name in written} == written
    measured = json.loads((ROOT / "benchmarks" / "results" / "slots.json").read_text("utf-8"))["figures"]
    assert measured["parser_sha256"] == written
    assert min(measured[f"by_set_{language}"]["third"]["f1"] for language in ("en", "zh")) >= 0.95
