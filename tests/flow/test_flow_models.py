"""Two recipes whose models are adapters on one base, served by the command that the page shows."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from adapter_copies import make_copies
from deployed import put_artifact
from small_flow import command, write_flow

from tutelage.core.chat import CHATML
from tutelage.core.files import file_sha256
from tutelage.core.records import Deployment, GateDecision
from tutelage.core.store import Store
from tutelage.pipeline.runs import Made, new_run, write_made

PAGE = (Path(__file__).parents[2] / "docs" / "stages" / "endpoint.md").read_text("utf-8")
OPEN = GateDecision(is_open=True, verdict="better", candidate="gguf-f16", versus="base", metric="bits_per_byte", n=20, difference=-0.1,
                    low=-0.2, high=-0.05, next_key="run.next_serve", facts={"recipe": "r.yaml"})


def deploy(work: Path, recipe: str, name: str, copy: Path) -> None:
    """What a run of the recipe would have left: a deployment of the copy."""
    deployment = Deployment(name=name, gguf=copy.relative_to(work).as_posix(), gguf_sha256=file_sha256(copy), base="base",
                            chat_format_hash=CHATML.hash, model_id=copy.parent.name, scores_id="s1", gate=OPEN, permissions=("everyone",))
    put_artifact(Store(work), "endpoint", f"e-{name}", {"deployment.json": deployment.model_dump_json()})
    write_made(new_run(work, recipe), Made(recipe=recipe, ids={"endpoint": f"e-{name}"}))


def test_the_models_of_two_recipes_are_served_by_the_command_of_the_page(tmp_path):
    (line,) = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines() if "--also" in line]
    own, work = write_flow(tmp_path), tmp_path / "work"
    other, third = tmp_path / "other.yaml", tmp_path / "third.yaml"
    for path in (other, third):
        named = own.read_text("utf-8").replace("name: flow", f"name: {path.stem}")
        path.write_text(f"{named}endpoint:\n  name: {path.stem}-draft\n", "utf-8")
    copies = make_copies(work)
    deploy(work, "flow", "tutelage-draft", copies.adapters[0])
    deploy(work, "other", "other-draft", copies.adapters[1])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = line.replace("recipe.yaml", str(own)).replace("other.yaml", str(other)).split()[1:]
    process = subprocess.Popen(command(*words, "--also", str(third), "--demo-users", "--port", str(port), "--work", str(work)),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    told = ""
    try:
        while not (found := re.search(r"key for the API\s+(\S+)", told)):
            line = process.stdout.readline()
            assert line, told
            told += line
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {found[1]}"}, timeout=60) as client:
            assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["tutelage-draft", "other-draft"]

            def ask(name: str) -> str:
                body = {"model": name, "messages": [{"role": "user", "content": "Term."}], "temperature": 0, "max_tokens": 12}
                return client.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"]

            alone = [ask(name) for name in ("tutelage-draft", "other-draft")]
            with ThreadPoolExecutor(4) as people:
                assert list(people.map(ask, ["tutelage-draft", "other-draft"] * 3)) == alone * 3
            assert alone[0] != alone[1]
            assert client.post("/v1/chat/completions", json={"model": "third-draft", "messages": []}).status_code in (400, 404)
    finally:
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=60)
    told += shown
    assert "other-draft is served too; it passed its gate" in told
    assert "third-draft of third.yaml is not served yet: no model of it has passed its gate" in told
