"""Which reasons, rules and settings of a stage its pages do not name."""

import re
from pathlib import Path

from tutelage.core.language import catalogue
from tutelage.core.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def unexplained(room: str, settings: type[Settings], *pages: str) -> tuple[int, list[str]]:
    """How many names the stage has, and those that no page writes as code."""
    text = "\n".join((DOCS / page).read_text("utf-8") for page in pages)
    told = {re.sub(r"\W", "_", code) for code in re.findall(r"`([^`\n]+)`", text)}
    names = [key.split(".", 2)[2] for key in catalogue() if key.startswith((f"{room}.reason.", f"{room}.rule."))]
    names += settings.model_fields
    return len(names), [name for name in names if name not in told]
