"""The wheel that `make package` builds, installed alone and used outside the checkout: the commands and the pages work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
PAGES = """
from pathlib import Path
import tutelage
from starlette.testclient import TestClient
from web_site import make_site
from tutelage.web.app import create_app
client = TestClient(create_app(make_site(Path("work"))), base_url="http://localhost")
shown = [client.get(path) for path in ("/sign-in", "/static/style.css", "/health")]
print(Path(tutelage.__file__).parent, [answer.status_code for answer in shown], "password" in shown[0].text)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left beside the sources."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    done = subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(copy / "dist"), str(copy)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    [built] = (copy / "dist").glob("tutelage-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps", "--no-index", "--target",
                    str(folder), str(wheel)], check=True)
    return folder


def run(installed: Path, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join((str(installed), str(ROOT / "tests" / "support")))
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, cwd=place,
                          env={**os.environ, "PYTHONPATH": paths})


def test_the_wheel_holds_every_file_of_the_package(wheel: Path):
    names = {name.removeprefix("tutelage/") for name in zipfile.ZipFile(wheel).namelist()}
    package = ROOT / "src" / "tutelage"
    wanted = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert wanted - names == set()
    assert len(wanted) > 300


def test_the_commands_work_outside_the_checkout(installed: Path, tmp_path: Path):
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "lease.txt").write_text("The tenant shall pay the rent on the first day of each month to the landlord, who "
                                                      "shall keep the roof and the walls of the house in repair.\n")
    (tmp_path / "r.yaml").write_text("name: r\ndocuments: {sources: [contracts]}\ntraining: {base: smollm2-135m-instruct}\n")
    made = run(installed, tmp_path, "-m", "tutelage", "make", "r.yaml", "--until", "documents")
    assert made.returncode == 0, made.stderr
    assert len(list((tmp_path / "work" / "documents").glob("*/report.zh.html"))) == 1
    assert "kept" in run(installed, tmp_path, "-m", "tutelage", "show", "documents").stdout


def test_the_pages_and_their_files_are_served_outside_the_checkout(installed: Path, tmp_path: Path):
    shown = run(installed, tmp_path, "-c", PAGES)
    assert shown.stdout.strip() == f"{installed / 'tutelage'} [200, 200, 200] True", shown.stderr[-2000:]
