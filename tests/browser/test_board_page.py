"""The board in a browser: it lists, draws, follows what is appended, filters, and runs no markup."""

import threading
from urllib.parse import quote

import numpy as np
import pytest

from kilter.core.journal import ENDING, Journal
from kilter.report.board.server import serve

MARKUP = "<img src=x onerror=\"document.title='hacked'\">"
HEAD = {
    "metric": "accuracy",
    "higher_is_better": True,
    "members": [{"seed": 0, "epochs": 40, "settings": {"net": MARKUP}}],
}
AXES = [
    {"name": "optimizer.lr", "scale": "log", "options": []},
    {"name": "net.layers[0]", "scale": "linear", "options": ["narrow", MARKUP]},
]
# A chart as the library has it, points of its first line, ends of what is zoomed in to; shades of its pixels, and these.
CHART = "echarts.getInstanceByDom(document.querySelector(place)).getOption()"
POINTS = f"place => {CHART}.series[0].data.length"
ENDS = f"place => (({{ startValue, endValue }}) => [startValue, endValue])({CHART}.dataZoom[0])"
SHADES = "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
PIXELS = "c => c.toDataURL()"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    journals = {name: Journal(folder / name, "training", MARKUP, **HEAD) for name in ("first", "second", MARKUP)}
    for each in journals.values():
        each.add(first=0, reached=20, members=[0], lines={"loss": np.linspace(2, 1, 20)[None]})
        each.add(told=MARKUP)
    searched = Journal(folder / "search", "search", "wine", metric="accuracy", trials=9, seeds=1, axes=AXES)
    for trial in range(6):
        settings = {"optimizer.lr": 0.1 / (trial + 1), "net.layers[0]": ["narrow", MARKUP][trial % 2]}
        searched.score(0.5 + trial % 4 / 10, result=trial, settings=settings, outcome="finished: all", seconds=1.0)
    cured = Journal(folder / "cure", "cure", "wine", metric="accuracy")
    cured.add(result=0, kind="control", change="as it is", score=0.2, effect=0.0, low=0.0, high=0.0, pairs=2, done=1)
    cured.add(result=1, kind="remedy", change=MARKUP, score=0.9, effect=0.7, low=-0.6, high=0.8, pairs=2, done=2)
    (folder / f"broken{ENDING}").write_bytes(b"\x00\xff")
    ready = threading.Event()
    address = []

    def told(url):
        address.append(url)
        ready.set()

    threading.Thread(target=serve, args=(folder,), kwargs={"port": 0, "ready": told}, daemon=True).start()
    assert ready.wait(30)
    return address[0], journals | {"search": searched}, folder


def quiet(page, url):
    """Whether a page complains of nothing, asks nobody else and fits the window."""
    assert page.complaints == []
    assert {address.startswith((url, "data:")) for address in page.requests} == {True}
    assert page.sideways() <= 0


def show(page, *names):
    """Show the curves of these runs alone."""
    page.get_by_text("Show none").click()
    page.wait_for_selector("text=Choose runs above")
    for name in names:
        page.get_by_label(f"show {name}", exact=True).check()
    page.wait_for_selector(f"text=of {len(names)} line")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1100, 390])
def test_it_draws_is_quiet_and_asks_nobody_else(opened, made, width, dark):
    url, *_ = made
    page = opened(url, width, dark, strict=True)
    page.page.wait_for_selector("text=loss of 1 line")
    assert page.page.locator("#chart canvas").first.evaluate(SHADES) > 3
    assert page.page.evaluate(POINTS, "#chart") >= 20
    quiet(page, url)


@pytest.mark.parametrize(("name", "charts"), [("first", 1), ("search", 3), ("cure", 1), ("broken", 0), ("nowhere", 0)])
def test_the_page_of_a_run_draws_is_quiet_and_has_no_barriers(opened, made, name, charts):
    url, *_ = made
    for width, dark, strict in ((1100, False, True), (390, True, True), (390, False, False)):
        page = opened(f"{url}#run={name}", width, dark, strict)
        page.page.wait_for_selector("#lead:not(:empty)")
        drawn = page.page.locator("#charts .canvas")
        assert drawn.count() == charts
        for place in range(charts):
            assert drawn.nth(place).locator("canvas").first.evaluate(SHADES) > 3
        if strict:
            page.complaints = [each for each in page.complaints if name != "nowhere" or "404" not in each]
            quiet(page, url)
        else:
            assert page.barriers() == []


@pytest.mark.parametrize("dark", [False, True])
def test_it_has_no_barriers(opened, made, dark):
    page = opened(made[0], dark=dark)
    page.page.wait_for_selector("#runs tbody tr")
    assert page.barriers() == []


def test_what_is_appended_is_there_within_two_seconds(opened, made):
    url, journals, folder = made
    page, detail = opened(url).page, opened(f"{url}#run=second").page
    row = page.locator("#runs tr", has_text="second")
    row.get_by_text("20 of 40").wait_for()
    show(page, "second")
    detail.locator("#lead", has_text="20 of 40").wait_for()
    journals["second"].add(first=20, reached=25, members=[0], lines={"loss": np.full((1, 5), 0.5)})
    row.get_by_text("25 of 40").wait_for(timeout=2000)
    page.wait_for_function(f"({POINTS})('#chart') === 25", timeout=2000)
    detail.locator("#lead", has_text="25 of 40").wait_for(timeout=2000)
    detail.wait_for_function(f"({POINTS})('#charts .canvas') === 25", timeout=2000)
    Journal(folder / "third", "training", "new", **HEAD)
    page.locator("#runs tr", has_text="third").wait_for(timeout=5000)


def test_trials_arrive_while_a_search_goes_on(opened, made):
    url, journals, _ = made
    page = opened(f"{url}#run=search").page
    page.wait_for_selector("text=6 of 9 trials have ended; the best has accuracy 0.8")
    settings = {"optimizer.lr": 0.01, "net.layers[0]": "narrow"}
    journals["search"].score(0.95, result=6, settings=settings, outcome="finished: all")
    page.wait_for_selector("text=7 of 9 trials have ended; the best has accuracy 0.95", timeout=2000)
    assert page.evaluate(POINTS, "#charts .canvas") == 7
    assert page.locator("#table tbody tr").first.inner_text().startswith("6")


def test_the_list_can_be_filtered_and_curves_overlaid(opened, made):
    page = opened(made[0]).page
    page.wait_for_function("document.querySelectorAll('#runs tbody tr').length > 3")
    page.locator("#wanted").fill("second")
    page.wait_for_function("document.querySelectorAll('#runs tbody tr').length === 1")
    page.locator("#wanted").fill("no such run")
    page.wait_for_selector("text=No run matches.")
    page.locator("#wanted").fill("")
    page.locator("#state").select_option("corrupt")
    page.wait_for_function("document.querySelectorAll('#runs tbody tr').length === 1")
    page.locator("#state").select_option("")
    page.wait_for_function("document.querySelectorAll('#runs tbody tr').length > 1")
    show(page, "first", "second")


def test_a_point_tells_its_number(opened, made):
    page = opened(made[0]).page
    show(page, "first")
    page.mouse.move(2, 2)
    canvas = page.locator("#chart canvas").first
    canvas.scroll_into_view_if_needed()
    before, box = canvas.evaluate(PIXELS), canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    page.wait_for_timeout(300)
    assert canvas.evaluate(PIXELS) != before


def test_a_zoom_stays_while_a_run_goes_on(opened, made):
    url, journals, _ = made
    page = opened(url).page
    show(page, "first")
    page.evaluate(
        "echarts.getInstanceByDom(document.getElementById('chart'))"
        ".dispatchAction({ type: 'dataZoom', startValue: 5, endValue: 9 })"
    )
    page.wait_for_timeout(400)
    journals["first"].add(first=20, reached=30, members=[0], lines={"loss": np.full((1, 10), 0.5)})
    page.wait_for_function(f"({POINTS})('#chart') === 30", timeout=2000)
    assert page.evaluate(ENDS, "#chart") == [5, 9]


def test_a_dead_server_is_told_of(opened, made):
    page = opened(made[0]).page
    page.wait_for_selector("#live.on")
    page.context.set_offline(True)
    page.locator("#wanted").fill("x")
    page.wait_for_selector("text=the board is not reached")


def test_markup_does_not_run(opened, made):
    url, *_ = made
    page = opened(url).page
    page.locator("#runs a", has_text="<img").first.wait_for()
    for place in ("", quote(MARKUP), "search", "cure"):
        page.goto(f"{url}#run={place}" if place else url)
        page.wait_for_selector("#lead:not(:empty)" if place else "#runs tbody tr")
        assert page.locator("img").count() == 0
        assert page.title().startswith("Kilter: ")
