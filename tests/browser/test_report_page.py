"""Reports in a browser: they draw, are quiet, ask for nothing, fit a phone, and answer to the pointer."""

import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim

MARKUP = "<img src=x onerror=\"document.title='hacked'\">"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.random((120, 8, 8, 1)) + y[:, None, None, None] * rng.random((8, 8, 1))
    data = kl.data.from_arrays(x, np.array([MARKUP, "two", "three"])[y], title=MARKUP)
    net = nn.Chain(nn.Flatten(), nn.Dense(8), nn.ReLU(), nn.Dense(3))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(1e-3), epochs=9)
    run = kl.train_fleet([recipe], data, watch=kl.Watch(every=3), progress=False)[0]
    return kl.report(run, data).save(tmp_path_factory.mktemp("report") / "report.html")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1100, 390])
def test_it_draws_and_is_quiet(opened, path, width, dark):
    page = opened(path.as_uri(), width, dark)
    assert len(page.drawn()) == 6
    assert min(page.drawn()) > 5
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    assert page.sideways() <= 0
    assert page.barriers() == []


def test_markup_in_names_does_not_run(opened, path):
    page = opened(path.as_uri()).page
    assert page.title().startswith("Kilter: <img")
    assert page.locator("img[src=x]").count() == 0


def test_a_cell_tells_its_number_and_its_histogram(opened, path):
    page = opened(path.as_uri()).page
    canvas = page.locator("figure[data-draw=signal] .canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.3)
    page.wait_for_selector("text=/epoch \\d/")
    assert canvas.locator("div svg rect").count() > 3


def test_another_vital_is_shown(opened, path):
    page = opened(path.as_uri()).page
    figure = page.locator("figure[data-draw=signal]").first
    before = figure.locator(".canvas").inner_html()
    figure.locator("select").select_option("share exactly zero")
    assert figure.locator(".canvas").inner_html() != before


def test_the_recipe_can_be_copied(opened, path):
    page = opened(path.as_uri()).page
    page.locator("button.copy").first.click()
    page.wait_for_function("/Copied|Selected/.test(document.querySelector('button.copy').textContent)")
