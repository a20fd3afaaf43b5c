"""Headless Chromium, and a real server of a site with a model that we wrote."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from web_site import PASSWORD, CharacterEngine, make_site, running

from tutelage.web.app import create_app
from tutelage.web.site import Site

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars")
WIDTHS = (1280, 420)


class Browser:
    """One window, with the few words that our tests speak."""

    def __init__(self, driver: Chrome, address: str, pictures: Path) -> None:
        self.driver = driver
        self.address = address
        self.pictures = pictures

    def open(self, path: str) -> None:
        self.driver.get(self.address + path)

    def sign_in(self, name: str) -> None:
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.open("/sign-in")
        self.type("#name", name)
        self.type("#password", PASSWORD)
        self.click("form.stack button")
        self.wait_for(lambda: self.path() == "/" and self.all("#ask"))

    def path(self) -> str:
        return self.driver.execute_script("return location.pathname")

    def find(self, css: str):
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css: str) -> list:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def text(self, css: str) -> str:
        return self.find(css).text

    def type(self, css: str, words: str) -> None:
        field = self.find(css)
        field.clear()
        field.send_keys(words)

    def click(self, css: str) -> None:
        element = self.find(css)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def wait_for(self, condition: Callable[[], object], seconds: float = 10) -> None:
        waiting = WebDriverWait(self.driver, seconds, poll_frequency=0.05, ignored_exceptions=(StaleElementReferenceException,))
        waiting.until(lambda _: condition())

    def picture(self, name: str) -> list[Path]:
        """The whole page as PNG, in each width."""
        taken = []
        for width in WIDTHS:
            path = self.pictures / f"{name}-{width}.png"
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
            height = self.driver.execute_script("return Math.ceil(document.documentElement.getBoundingClientRect().height)")
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                        {"width": width, "height": max(900, height), "deviceScaleFactor": 1, "mobile": False})
            self.driver.save_screenshot(str(path))
            assert self.driver.execute_script("return document.documentElement.scrollWidth") <= width, f"{name} is wider than {width}"
            taken.append(path)
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        return taken

    def complaints(self) -> list[str]:
        """What the console says: errors of scripts, refused styles, failed loads."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


@pytest.fixture(scope="module")
def driver() -> Iterator[Chrome]:
    if not CHROMIUM.exists() or not DRIVER.exists():
        pytest.skip(f"{CHROMIUM} and {DRIVER} are needed: apt-get install chromium chromium-driver")
    with tempfile.TemporaryDirectory() as profile:
        options = ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for option in (*OPTIONS, f"--user-data-dir={profile}", "--window-size=1280,900"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        found = Chrome(options=options, service=Service(str(DRIVER)))
        yield found
        found.quit()


@pytest.fixture
def base() -> CharacterEngine:
    return CharacterEngine("smollm2-135m-instruct", seconds=0.015)


@pytest.fixture
def site(tmp_path: Path, base: CharacterEngine) -> Site:
    return make_site(tmp_path / "work", base=base)


@pytest.fixture
def browser(driver: Chrome, site: Site, tmp_path: Path) -> Iterator[Browser]:
    pictures = Path(os.environ.get("TUTELAGE_SCREENSHOTS", tmp_path / "pictures"))
    pictures.mkdir(parents=True, exist_ok=True)
    with running(create_app(site)) as address:
        found = Browser(driver, address, pictures)
        yield found
        driver.get("about:blank")

