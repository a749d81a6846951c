"""Reports: the questions in their order, numbers that are those of the run, and nothing that markup could break."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, multilabel_confusion_matrix

import kilter as kl
from kilter import losses, metrics, nn, optim
from kilter.core.errors import InputError
from kilter.core.thinning import thinned
from kilter.metrics import describe
from kilter.report import repeat
from kilter.report.charts import number
from kilter.report.learned import linear, measured
from kilter.report.predictions import confusion
from kilter.report.report import embedded

NET = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
RECIPE = kl.Recipe(NET, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.02), epochs=12)
MARKUP = "<script>document.title='hacked'</script>"


@pytest.fixture(scope="module")
def data():
    return kl.data.iris()


@pytest.fixture(scope="module")
def run(data):
    return kl.train_fleet([RECIPE], data, watch=kl.Watch(every=3), progress=False)[0]


@pytest.fixture(scope="module")
def page(run, data):
    return kl.report(run, data)


def options(report, title):
    """What the charts of a section are made of."""
    (section,) = [section for section in report.sections if section.title == title]
    return [block.option for block in section.blocks if block.kind == "chart"]


def test_questions_come_in_the_order_of_a_reader(page):
    titles = [section.title for section in page.sections]
    assert titles == [
        *("Did it learn?", "Is it healthy?", "What to do", "How it learned", "The signal through the net"),
        *("Predictions on the test rows", "Weights", "Recipe", "Data, seed and versions"),
    ]


def test_one_file_without_a_request_to_elsewhere(page, tmp_path):
    path = page.save(tmp_path / "report.html")
    text = path.read_text()
    assert path.stat().st_size < 3e6
    own = text.replace(Path(kl.report.__globals__["__file__"]).parent.joinpath("assets/echarts.min.js").read_text(), "")
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", own)
    assert "default-src 'none'" in own


def test_curves_are_the_history(page, run):
    losses_drawn = options(page, "How it learned")[0]["series"]
    drawn = np.array(losses_drawn[0]["data"])
    np.testing.assert_allclose(drawn[:, 1], run.history["loss"], rtol=1e-6)
    np.testing.assert_array_equal(drawn[:, 0], np.arange(1, 13))


def test_confusions_are_those_of_scikit_learn(page, run, data):
    right, wrong = (series["data"] for series in options(page, "Predictions on the test rows")[0]["series"])
    table = np.zeros((3, 3), int)
    for column, row, count in right + wrong:
        table[row, column] = count
    assert all(row == column for column, row, _ in right)
    part = measured(data)[1]
    np.testing.assert_array_equal(table, confusion_matrix(part.y, run.predict_proba(part).argmax(-1)))


def test_heat_maps_are_the_trace(page, run):
    signals, weights = options(page, "The signal through the net")
    np.testing.assert_allclose(signals["vitals"]["mean"]["values"], run.vitals.signals.mean, rtol=1e-6)
    assert signals["vitals"]["mean"]["places"] == ["layers[0] Dense", "layers[1] ReLU", "layers[2] Dense"]
    drawn = [[np.nan if v is None else v for v in row] for row in weights["vitals"]["update over weight"]["values"]]
    np.testing.assert_allclose(drawn, run.vitals.weights.update, rtol=1e-6)
    shares = [sum(cell["shares"]) for cell in signals["histograms"][0]]
    np.testing.assert_allclose(shares, 1, atol=2e-3)


def test_the_linear_model_is_one_that_learns(run, data):
    assert linear(run, data)["accuracy"] > 0.8


def test_the_script_trains_the_same_run(page, run):
    (section,) = [section for section in page.sections if section.title == "Recipe"]
    given = {}
    exec(section.blocks[0].text, given)
    np.testing.assert_array_equal(given["run"].history["loss"], run.history["loss"])


def test_the_gap_between_training_and_validation_is_told(page, run):
    (section,) = [section for section in page.sections if section.title == "How it learned"]
    told = float(run.history["val_loss"][-1] - run.history["loss"][-1])
    assert f"{describe(told)} at the end" in section.blocks[0].told


OWN = kl.Recipe(
    nn.Chain(nn.Flatten(), nn.Dense(6, initializer=nn.initializers.Orthogonal()), nn.LeakyReLU(0.2), nn.Dense(3)),
    losses.SoftmaxCrossEntropy(smoothing=0.1),
    optimizer=optim.ClipByGlobalNorm(optim.SGD(optim.Warmup(optim.Cosine(0.1), 0.2), momentum=0.9), 1.0),
    inputs=kl.data.Standardize(), stopping=kl.EarlyStopping(3), metric=metrics.AUC(), epochs=2,
)  # fmt: skip


@pytest.mark.parametrize(
    "recipe", [OWN, *(kl.recipes.suited(getattr(kl.data, name)()) for name in ("digits", "diabetes"))]
)
def test_the_copied_python_makes_the_same_recipe(recipe):
    given = {}
    exec(repeat.recipe(recipe).blocks[0].text, given)
    assert given["recipe"] == recipe


def test_rows_of_ones_own_are_left_to_be_filled_in():
    rng = np.random.default_rng(0)
    data = kl.data.from_arrays(rng.normal(size=(30, 4)), np.arange(30) % 3)
    run = kl.train(RECIPE.replace(epochs=0), data, progress=False)
    given = {}
    exec(repeat.script(run, data), given)
    assert given["recipe"] == run.recipe


def test_of_many_classes_those_are_shown_that_are_mixed_up():
    names = [f"class {place}" for place in range(300)]
    truth = np.arange(3000) % 300
    told = np.where((truth == 7) | (truth == 123), 250, truth)
    chart = confusion(told, truth, names)
    shown = chart.option["xAxis"]["data"]
    assert len(shown) == 40
    assert {"class 7", "class 123", "class 250"} <= set(shown)
    assert "40 of 300 classes" in chart.told


def test_markup_in_names_stays_text():
    rng = np.random.default_rng(0)
    names = np.array([MARKUP, "plain"])[np.arange(60) % 2]
    data = kl.data.from_arrays(rng.normal(size=(60, 4)), names, title=MARKUP)
    recipe = RECIPE.replace(net=nn.Chain(nn.Dense(2)), epochs=2)
    text = kl.report(kl.train(recipe, data, progress=False), data).html
    assert MARKUP not in text
    assert "<title>Kilter: &lt;script&gt;" in text


def test_values_in_a_page_cannot_end_their_script():
    assert "<" not in embedded({"name": "</script><!--"})
    assert json.loads(embedded({"name": "</script>&"})) == {"name": "</script>&"}


def test_what_is_not_finite_is_left_out():
    assert number(float("nan")) is None
    assert number(float("inf")) is None


def test_thinning_keeps_first_last_and_peaks():
    y = np.sin(np.arange(100_000) / 500)
    y[54_321] = 40
    y[77_777] = np.nan
    x, kept = thinned(np.arange(len(y)), y)
    assert len(x) <= 1000
    assert (x[0], x[-1]) == (0, 99_999)
    assert np.nanmax(kept) == 40


def test_a_diverged_run_and_one_without_epochs_have_a_page(data):
    for changes in ({"optimizer": optim.SGD(1e30)}, {"epochs": 0}):
        run = kl.train(RECIPE.replace(**changes), data, progress=False)
        text = kl.report(run, data).html
        assert "ERROR" in text.upper()


@pytest.mark.parametrize("task", ["numbers", "labels"])
def test_other_targets(task):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    y = (x[:, :2] > 0).astype(int) if task == "labels" else x[:, 0] * 3 + 100
    loss = losses.SigmoidCrossEntropy() if task == "labels" else losses.SquaredError()
    recipe = kl.Recipe(nn.Dense(2 if task == "labels" else 1), loss, optimizer=optim.Adam(0.1), epochs=5)
    data = kl.data.from_arrays(x, y, task=task)
    assert "Data, seed and versions" in kl.report(kl.train(recipe, data, progress=False), data).html


def test_labels_are_counted_one_by_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    y = (x[:, :2] > 0).astype(int)
    recipe = kl.Recipe(nn.Dense(2), losses.SigmoidCrossEntropy(), optimizer=optim.Adam(0.1), epochs=5)
    data = kl.data.from_arrays(x, y, task="labels", validation=0.5)
    run = kl.train(recipe, data, progress=False)
    (section,) = [each for each in kl.report(run, data).sections if each.title.startswith("Predictions")]
    drawn = np.array([row[1:] for row in section.blocks[0].rows], int)
    witness = multilabel_confusion_matrix(data.validation.y, run.predict(data.validation))
    np.testing.assert_array_equal(
        drawn, np.stack([witness[:, 1, 1], witness[:, 0, 0], witness[:, 1, 0], witness[:, 0, 1]], 1)
    )


def test_several_runs_are_ranked(data):
    runs = kl.train_fleet([RECIPE, RECIPE.put("optimizer.lr", 1e-6)], data, seeds=[0, 1], progress=False)
    report = kl.report(runs, data)
    table = report.sections[0].blocks[1]
    assert [row[0] for row in table.rows] == ["1", "2", "3", "4"]
    scores = [float(row[1]) for row in table.rows]
    assert scores == sorted(scores, reverse=True)
    assert "optimizer.lr" in table.head


def test_a_checkup_has_findings_and_advice(data):
    check = kl.examine(RECIPE.put("optimizer.lr", -0.02), data)
    report = kl.report(check, data)
    assert [section.title for section in report.sections][:2] == ["Is it healthy?", "What to do"]
    assert "Make the learning rate positive" in report.html


def test_what_is_no_subject_is_refused():
    for subject in (3, "run", []):
        with pytest.raises(InputError, match="report takes a run, runs, a checkup, a cure or a study"):
            kl.report(subject)
