"""A service as `tutelage serve` runs it, its engine apart and slow; prints its address and a key. For tests that stop it.

Arguments: a work folder, seconds for each character, and seconds to stop in.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from web_site import TUNED, CharacterEngine, make_site

from tutelage.cli.listening import listen
from tutelage.cli.serving import _serve
from tutelage.cli.terminal import tell_result
from tutelage.endpoint.settings import EndpointSettings
from tutelage.engine.child_engine import ChildEngine
from tutelage.web.app import create_app


def main(work: Path, seconds: float, stop_seconds: float) -> None:
    """Serve until a signal, then close the door as `tutelage serve` does."""
    engine: Any = ChildEngine(partial(CharacterEngine, TUNED, seconds=seconds), vocabulary=CharacterEngine(TUNED),
                              tell=lambda key, facts: None)
    site = make_site(work, tuned=engine, endpoint=EndpointSettings(parallel=16))
    key = site.desk.new_key("streams")
    listening = listen("127.0.0.1", 0)
    address = listening.address.rstrip("/")
    _serve(create_app(site), listening.bound, lambda: tell_result(f"{address} {key}"), site.door, stop_seconds)
    site.door.close()
    site.desk.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
