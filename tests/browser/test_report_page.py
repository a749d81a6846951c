"""Reports in a browser: they draw, are quiet, ask for nothing, fit a phone and paper, and answer to the pointer."""

import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim

MARKUP = "<img src=x onerror=\"document.title='hacked'\">"


@pytest.fixture(scope="module")
def watched():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.random((120, 8, 8, 1)) + y[:, None, None, None] * rng.random((8, 8, 1))
    data = kl.data.from_arrays(x, np.array([MARKUP, "two", "three"])[y], title=MARKUP)
    net = nn.Chain(nn.Flatten(), nn.Dense(8), nn.ReLU(), nn.Dense(3))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(1e-3), epochs=9)
    recipes = [recipe, recipe.put("optimizer.lr", 1e-2)]
    return kl.train_fleet(recipes, data, watch=kl.Watch(every=3), progress=False), data


@pytest.fixture(scope="module")
def path(watched, tmp_path_factory):
    runs, data = watched
    return kl.report(runs[0], data).save(tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def others(watched, tmp_path_factory):
    """Pages of several runs, of numbers with named features, of a checkup and of a study."""
    runs, data = watched
    folder = tmp_path_factory.mktemp("others")
    rng = np.random.default_rng(1)
    table = {MARKUP: rng.normal(size=80), "other": rng.normal(size=80)}
    table["target"] = table["other"] * 2 + rng.normal(size=80)
    numbers = kl.data.from_table(table, "target")
    line = kl.Recipe(nn.Dense(1), losses.SquaredError(), optimizer=optim.Adam(0.1), epochs=5)
    space = line.put("optimizer.lr", kl.LogUniform(1e-3, 1e-1)).replace(
        net=nn.Chain(kl.Choice(nn.ReLU(), nn.Tanh()), nn.Dense(1))
    )
    pages = {
        "runs": kl.report(runs, data),
        "numbers": kl.report(kl.train(line, numbers, progress=False), numbers),
        "checkup": kl.report(kl.examine(runs[0]), data),
        "study": kl.report(kl.search(space, numbers, trials=12, progress=False)),
    }
    return {name: page.save(folder / f"{name}.html") for name, page in pages.items()}


def sound(page, drawn):
    """Whether a page draws at least so many charts, is quiet, asks for nothing, fits its window and has no barrier."""
    assert len(page.drawn()) >= drawn
    assert min(page.drawn()) > 3
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    assert page.sideways() <= 0
    assert page.barriers() == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1100, 390])
def test_it_draws_and_is_quiet(opened, path, width, dark):
    sound(opened(path.as_uri(), width, dark), drawn=16)


@pytest.mark.parametrize(("name", "drawn"), [("runs", 4), ("numbers", 4), ("checkup", 1), ("study", 5)])
@pytest.mark.parametrize(("width", "dark"), [(1100, True), (390, False)])
def test_pages_of_other_things_too(opened, others, name, drawn, width, dark):
    sound(opened(others[name].as_uri(), width, dark), drawn)


def test_it_is_shown_in_a_notebook(opened, watched, tmp_path):
    runs, data = watched
    (tmp_path / "notebook.html").write_text(f"<!doctype html><title>n</title>{kl.report(runs[0], data)._repr_html_()}")
    page = opened((tmp_path / "notebook.html").as_uri())
    frame = page.page.frames[1]
    frame.wait_for_selector(".canvas svg path", state="attached")
    assert frame.locator(".canvas svg").count() == 16
    assert page.complaints == []
    assert page.page.title() == "n"


def test_markup_in_names_does_not_run(opened, path, others):
    for each in (path, others["numbers"], others["runs"]):
        page = opened(each.as_uri()).page
        assert page.title().startswith("Kilter: ")
        assert page.locator("img[src=x]").count() == 0
        assert page.get_by_text("<img src=x").count() > 0


def test_a_cell_tells_its_number_and_its_histogram(opened, path):
    page = opened(path.as_uri()).page
    canvas = page.locator(".maps .canvas").nth(1)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.2)
    page.wait_for_selector("text=/epoch \\d/")
    assert canvas.locator("div svg rect").count() > 3


def test_every_vital_has_a_map(opened, path):
    page = opened(path.as_uri()).page
    names = page.locator(".maps b").all_inner_texts()
    assert names[:5] == [
        "mean",
        "spread (standard deviation)",
        "dead units",
        "saturated inputs",
        "back-propagated gradient (rms)",
    ]
    assert "update over weight" in names


def test_a_name_hides_the_runs_of_a_recipe(opened, others):
    page = opened(others["runs"].as_uri()).page
    canvas = page.locator(".canvas").first
    before = canvas.locator("path[stroke='#0072b2']").count()
    canvas.locator("text", has_text="lr").first.click()
    page.wait_for_timeout(200)
    assert canvas.locator("path[stroke='#0072b2']").count() < before


def test_on_paper_it_is_light_and_all_is_on_it(opened, path):
    page = opened(path.as_uri(), dark=True).page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.set_viewport_size({"width": 700, "height": 900})
    wide = "[...document.querySelectorAll('.canvas svg')].map(e => e.getBoundingClientRect().right - innerWidth)"
    assert max(page.evaluate(wide)) <= 0


def test_the_recipe_can_be_copied_by_keyboard(opened, path):
    page = opened(path.as_uri()).page
    page.locator("button.copy").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("/Copied|Selected/.test(document.querySelector('button.copy').textContent)")
