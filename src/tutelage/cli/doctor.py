"""doctor: tells what this machine has and lacks, and the command that mends each."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tutelage.cli.terminal import tell_result
from tutelage.core.language import text
from tutelage.pipeline.doctor import Finding, examine


def run_doctor(*, port: int, work: Path, language: str, as_json: bool) -> None:
    """Tell each finding; exit code 1 when something is lacking that everybody needs."""
    found = examine(work, port)
    for finding in found:
        if as_json:
            tell_result(json.dumps({"name": finding.name, "ok": finding.is_there, "needed": finding.is_needed,
                                    "told": _told(finding, language), "mend": finding.mend or None}, ensure_ascii=False))
        else:
            mark = "ok" if finding.is_there else "lacking" if finding.is_needed else "optional"
            tell_result(f"{text(f'doctor.mark.{mark}', language)}  {_told(finding, language)}")
            if finding.mend:
                tell_result(f"      {finding.mend}")
    lacking = sum(finding.is_needed and not finding.is_there for finding in found)
    if not as_json:
        tell_result(text("doctor.well", language) if not lacking else text("doctor.lacking", language, count=lacking))
    if lacking:
        sys.exit(1)


def _told(finding: Finding, language: str) -> str:
    return text(f"doctor.{finding.name}.{'there' if finding.is_there else 'absent'}", language, **finding.facts)
