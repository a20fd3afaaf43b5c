"""Makes docs/pictures/*.png from the running product: `make pictures` after `make demo SERVE=0`. Option: another work folder."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).parents[1]
PICTURES = Path(__file__).parent / "pictures"
PORT = 8791
DRAFT_SECONDS = 120
ADDRESS = f"http://127.0.0.1:{PORT}"
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
         "--disable-component-update", "--window-size=1280,1000", "--hide-scrollbars")


def main() -> None:
    """Serve the made demo, sign in, and take the pages in both languages."""
    work = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "work")
    recipe = str(ROOT / "recipes" / "demo.yaml")
    command = [sys.executable, "-m", "tutelage", "serve", recipe, "--work", work, "--port", str(PORT), "--demo-users"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        password = next(found.group(1) for line in process.stdout if (found := re.search(r"sign in as drafter\s+password (\S+)", line)))
        with tempfile.TemporaryDirectory() as profile:
            take(password, profile)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def take(password: str, profile: str) -> None:
    """Drive a headless browser over the pages."""
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    PICTURES.mkdir(exist_ok=True)
    try:
        browser.get(f"{ADDRESS}/sign-in")
        browser.find_element(By.NAME, "name").send_keys("drafter")
        browser.find_element(By.NAME, "password").send_keys(password)
        browser.find_element(By.CSS_SELECTOR, "button.primary").click()
        for language in ("en", "zh"):
            for page, path in (("drafting", "/"), ("training", "/training"), ("scores", "/scores")):
                browser.get(f"{ADDRESS}{path}?language={language}")
                time.sleep(2)
                if page == "drafting":
                    browser.find_element(By.CSS_SELECTOR, "#ask button.primary").click()
                    WebDriverWait(browser, DRAFT_SECONDS).until(lambda seen: seen.find_element(By.ID, "draft-use").is_displayed())
                browser.save_screenshot(str(PICTURES / f"{page}-{language}.png"))
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
