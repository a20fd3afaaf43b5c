"""`tutelage serve --make` as a user runs it: the page first, the making beside it, and a calm end."""

import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import httpx
from small_flow import command, read_events, write_flow

PAGE = (Path(__file__).parents[2] / "docs" / "stages" / "endpoint.md").read_text("utf-8")

def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.1)
    return False


def answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(address, timeout=2).status == 200
    except (urllib.error.URLError, OSError):
        return False


def test_the_page_is_up_before_the_making_and_the_exit_code_tells_the_verdict(tmp_path):
    recipe = write_flow(tmp_path)
    port, work = free_port(), tmp_path / "work"
    words = command("serve", str(recipe), "--make", "--demo-users", "--port", str(port), "--work", str(work))
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert wait_for(lambda: answers(f"http://127.0.0.1:{port}/sign-in"), 60)
        assert not list(work.glob("scores/[!.]*"))
        assert wait_for(lambda: any(event["key"] == "run.finished" for event in read_events(work)), 100)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, shown
    assert f"http://127.0.0.1:{port}/" in shown
    passwords = dict(re.findall(r"sign in as (\w+)\s+password (\S+)", shown))
    assert set(passwords) == {"drafter", "reviewer"}
    assert re.search(r"key for the API\s+\S{20,}", shown)
    assert (work / "session.key").stat().st_mode & 0o777 == 0o600


def test_the_library_answers_the_documented_request_with_the_printed_key(tmp_path):
    recipe = write_flow(tmp_path)
    port = free_port()
    words = command("serve", str(recipe), "--demo-users", "--port", str(port), "--work", str(tmp_path / "work"))
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        key = ""
        for line in process.stdout:
            if found := re.search(r"key for the API\s+(\S+)", line):
                key = found.group(1)
                break
        request = {"type": "confidentiality", "keywords": "保密期限", "language": "zh"}
        address = f"http://127.0.0.1:{port}/api/clauses"
        refused = httpx.post(address, json=request, timeout=30)
        answer = httpx.post(address, json=request, headers={"Authorization": f"Bearer {key}"}, timeout=30)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert refused.status_code == 401
    assert answer.status_code == 200
    first = answer.json()["candidates"][0]
    assert (first["kind"], first["clause_type"]) == ("library", "confidentiality")
    assert "保密" in first["text"]


def test_other_machines_are_let_in_only_once_there_is_a_key_as_the_page_shows(tmp_path):
    recipe, port, work = write_flow(tmp_path), free_port(), tmp_path / "work"
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "--host" in block for line in block.splitlines()]
    making, serving = ([*line.replace("recipe.yaml", str(recipe)).split()[1:], "--work", str(work)] for line in lines)
    serving += ["--port", str(port)]
    refused = subprocess.run(command(*serving), capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2
    assert f"the desk has no valid key: it does not listen there. Make a key first: tutelage key new {recipe} LABEL." in refused.stderr
    made = subprocess.run(command(*making), capture_output=True, text=True, timeout=60, check=True).stdout
    secret = re.search(r"key office: (\S+)", made)[1]
    process = subprocess.Popen(command(*serving), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert wait_for(lambda: answers(f"http://127.0.0.1:{port}/sign-in"), 60)
        asked = {host: httpx.get(f"http://127.0.0.1:{port}/health", headers={"host": f"{host}:{port}"}).status_code
                 for host in ("127.0.0.1", socket.gethostname(), "evil.example")}
        closed = httpx.get(f"http://127.0.0.1:{port}/v1/models")
        opened = httpx.get(f"http://127.0.0.1:{port}/v1/models", headers={"authorization": f"Bearer {secret}"})
    finally:
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=30)
    assert asked == {"127.0.0.1": 200, socket.gethostname(): 200, "evil.example": 400}
    assert (closed.status_code, opened.status_code) == (401, 200)
    assert f"open http://{socket.gethostname().lower()}:{port}/ in a browser on this machine" in shown
    assert "other machines can reach this service, and nothing on the way is encrypted" in shown
