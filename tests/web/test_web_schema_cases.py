"""Cases made from the OpenAPI document against a running server: no 5xx, and answers as the document says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from web_site import TUNED, CharacterEngine, make_site, running

from tutelage.web.app import create_app

FEW, MANY = 26, 270  # cases a route: over all routes more than 500 and 5,000
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.parametrize("cases", [pytest.param(FEW, marks=pytest.mark.real), pytest.param(MANY, marks=pytest.mark.soak)])
def test_no_case_that_the_document_suggests_breaks_the_server(tmp_path: Path, cases: int) -> None:
    site = make_site(tmp_path / "work", tuned=CharacterEngine(TUNED))
    with running(create_app(site)) as address:
        key = site.desk.new_key("cases", scopes=("generate", "admin", "metrics"))
        done = subprocess.run(
            [str(Path(sys.executable).with_name("schemathesis")), "run", f"{address}/openapi.json", "--checks", CHECKS,
             "--header", f"Authorization: Bearer {key}", "--phases", "fuzzing", "--max-examples", str(cases), "--seed", "7",
             "--no-color", "--generation-database", "none", "--exclude-path", "/v1/models/{name}", "--request-timeout", "30"],
            capture_output=True, text=True, timeout=3_600, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    made, passed = map(int, re.findall(r"(\d+) generated, (\d+) passed", done.stdout)[-1])
    assert made == passed
    assert made >= 18 * cases
