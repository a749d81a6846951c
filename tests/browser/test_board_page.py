"""The board in a browser: it lists, draws, follows what is appended, filters, and runs no markup."""

import threading

import numpy as np
import pytest

from kilter.core.journal import Journal
from kilter.report.board.server import serve

MARKUP = "<img src=x onerror=\"document.title='hacked'\">"
HEAD = {
    "metric": "accuracy",
    "higher_is_better": True,
    "members": [{"seed": 0, "epochs": 40, "settings": {"net": MARKUP}}],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    journals = {name: Journal(folder / name, "training", MARKUP, **HEAD) for name in ("first", "second")}
    for each in journals.values():
        each.add(first=0, members=[0], lines={"loss": np.linspace(2, 1, 20)[None]})
    ready = threading.Event()
    address = []

    def told(url):
        address.append(url)
        ready.set()

    threading.Thread(target=serve, args=(folder,), kwargs={"port": 0, "ready": told}, daemon=True).start()
    assert ready.wait(30)
    return address[0], journals, folder


@pytest.mark.parametrize("width", [1100, 390])
def test_it_draws_is_quiet_and_asks_nobody_else(opened, made, width):
    url, *_ = made
    page = opened(url, width, strict=True)
    page.page.wait_for_selector("text=loss by epoch of 1 networks")
    shades = "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
    assert page.page.locator("#chart canvas").first.evaluate(shades) > 3
    assert page.complaints == []
    assert {address.startswith((url, "data:")) for address in page.requests} == {True}
    assert page.sideways() <= 0


def test_it_has_no_barriers(opened, made):
    page = opened(made[0])
    page.page.locator("#runs button").first.click()
    page.page.wait_for_selector("#detail:not([hidden])")
    assert page.barriers() == []


def test_what_is_appended_is_there_within_two_seconds(opened, made):
    url, journals, folder = made
    page = opened(url).page
    row = page.locator("#runs tr", has_text="second")
    row.get_by_text("20 of 40").wait_for()
    page.wait_for_selector("text=live")
    journals["second"].add(first=20, members=[0], lines={"loss": np.full((1, 5), 0.5)})
    row.get_by_text("25 of 40").wait_for(timeout=2000)
    Journal(folder / "third", "training", "new", **HEAD)
    page.locator("#runs tr", has_text="third").wait_for(timeout=5000)


def test_the_list_can_be_filtered_and_curves_overlaid(opened, made):
    page = opened(made[0]).page
    page.locator("#wanted").fill("second")
    page.wait_for_function("document.querySelectorAll('#runs tbody tr').length === 1")
    page.locator("#wanted").fill("")
    page.wait_for_function("document.querySelectorAll('#runs tbody tr').length > 1")
    for name in ("first", "second"):
        page.get_by_label(f"show {name}").check()
    page.wait_for_selector("text=loss by epoch of 2 networks")


def test_markup_does_not_run(opened, made):
    page = opened(made[0]).page
    page.locator("#runs button").first.click()
    page.wait_for_selector("#detail:not([hidden])")
    assert page.title() == "Kilter: board"
    assert page.locator("img").count() == 0
