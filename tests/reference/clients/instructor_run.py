"""instructor reads a clause into a pydantic model, by each way of asking that it has for OpenAI's API; prints what it got as JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import Literal

import instructor
from openai import OpenAI
from pydantic import BaseModel

MODES = ("TOOLS", "TOOLS_STRICT", "JSON", "JSON_SCHEMA")
TEXT = "Each invoice shall be paid within thirty (30) days. Answer in JSON with kind and days."


class Term(BaseModel):
    """The kind of a clause, and the days that it names."""

    kind: Literal["payment", "confidentiality", "termination"]
    days: int


def main() -> None:
    """Ask once by each way."""
    client = OpenAI(base_url=os.environ["ADDRESS"] + "/v1", api_key=os.environ["KEY"], max_retries=0)
    found = {}
    for mode in MODES:
        asks = instructor.from_openai(client, mode=instructor.Mode[mode])
        term = asks.chat.completions.create(model=os.environ["MODEL"], response_model=Term, temperature=0, max_tokens=60, max_retries=1,
                                            messages=[{"role": "user", "content": TEXT}])
        found[mode] = term.model_dump()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
