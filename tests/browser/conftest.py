"""Debian's Chromium, driven by Playwright; where it must be there, `KILTER_BROWSER=needed` says so."""

import os
import shutil
from importlib.resources import files

import pytest

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None and os.environ.get("KILTER_BROWSER") != "needed":
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Watched:
    """A page, and all that it complains of or asks for."""

    def __init__(self, page):
        self.page, self.complaints, self.requests = page, [], []
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda asked: self.requests.append(asked.url))

    def drawn(self):
        """Shapes of each chart."""
        return self.page.evaluate(
            "[...document.querySelectorAll('.canvas')].map(e => e.querySelectorAll('path').length)"
        )

    def sideways(self):
        """By how much the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")

    def barriers(self):
        """Serious violations that axe-core finds."""
        self.page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
        found = self.page.evaluate("axe.run()")["violations"]
        return [each["id"] for each in found if each["impact"] in ("serious", "critical")]


@pytest.fixture
def opened(browser):
    """Open an address: ``opened(url, width=1100, dark=False, strict=False)``; a strict page keeps to its own policy."""
    contexts = []

    def open_(url, width=1100, dark=False, strict=False):
        # Elsewhere scripts of a test may run, so that axe-core can be put in.
        scheme = "dark" if dark else "light"
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=not strict
        )
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.page.goto(url)
        return watched

    yield open_
    for context in contexts:
        context.close()
