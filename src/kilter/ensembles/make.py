"""From runs to an ensemble, or to one network of their mean weights."""

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np

from kilter.core.checks import check_seed
from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.ensembles.average import averaged, check_alike, greedy_soup
from kilter.ensembles.mean import Ensemble
from kilter.ensembles.select import select as select_greedily
from kilter.ensembles.together import check_data, check_metric, check_runs
from kilter.metrics import Metric, gain
from kilter.train import Run, scores


@overload
def ensemble(
    runs: Sequence[Run],
    data: Dataset | None = None,
    *,
    select: Literal["greedy"] | None = None,
    average: Literal["predictions"] = "predictions",
    metric: Metric | None = None,
    picks: int = 50,
    bags: int = 1,
    seed: int = 0,
) -> Ensemble: ...


@overload
def ensemble(
    runs: Sequence[Run],
    data: Dataset | None = None,
    *,
    select: Literal["greedy"] | None = None,
    average: Literal["weights"],
    metric: Metric | None = None,
) -> Run: ...


def ensemble(
    runs: Sequence[Run],
    data: Dataset | None = None,
    *,
    select: str | None = None,
    average: str = "predictions",
    metric: Metric | None = None,
    picks: int = 50,
    bags: int = 1,
    seed: int = 0,
) -> Ensemble | Run:
    """Make one predictor of several runs: of several seeds, recipes, samples of the rows (bagging) or snapshots.

    Args:
        runs: that predict the same target from the same inputs; their recipes may differ. Those that diverged are left
            out with a warning.
        data: to measure the ensemble and its members on; needed to select, and for ``average="weights"``.
        select: None takes all runs, each with the same weight; ``"greedy"`` those that together score highest on the
            validation rows, weighted by how often they were picked (Caruana et al. 2004).
        average: ``"predictions"``: mean of probabilities or numbers. ``"weights"``: one network with the mean of the
            runs' weights, as cheap as one (Izmailov et al. 2018; Wortsman et al. 2022, and their greedy soup with
            ``select="greedy"``); for runs near each other, such as `kilter.snapshots` or runs from one ``start``. Batch
            norms get the statistics of all training rows.
        metric: that decides; left open, that of the runs.
        picks: most picks of the greedy selection of predictions.
        bags: of its random halves of the runs, whose picks are added up; Caruana et al. take 20. 1: no bagging.
        seed: of the bags.

    Returns:
        An `Ensemble`, or for ``average="weights"`` a `kilter.Run` with an empty history.

    Raises:
        InputError: no runs, runs that do not belong together, data that is needed or does not fit.

    >>> import kilter as kl
    >>> data = kl.data.iris()
    >>> recipe = kl.recipes.plain(data, epochs=5)
    >>> seeds = kl.train_fleet([recipe], data, seeds=[0, 1, 2])
    >>> three = kl.ensemble(seeds, data)
    >>> three.predict_proba(data.test.x).shape, len(three.weights)
    ((30, 3), 3)
    """
    members = check_runs(runs)
    _check_choices(select, average, picks, bags)
    metric = check_metric(members, metric)
    if data is not None:
        check_data(members, data)
    if select is not None and (data is None or data.validation is None):
        raise InputError(
            "select='greedy' needs data with validation rows, since training rows would choose what overfits"
        )
    if average == "weights":
        return _one_network(members, data, select, metric)
    weights = tuple([1.0 / len(members)] * len(members))
    if select is not None and data is not None:
        members, weights = _selected(members, data, metric, picks, bags, check_seed(seed))
    found = Ensemble(members, weights, metric)
    return found if data is None else found.measured(data)


def _check_choices(select: Any, average: Any, picks: Any, bags: Any) -> None:
    if select not in (None, "greedy"):
        raise InputError(f"select must be None or 'greedy', got {select!r}")
    if average not in ("predictions", "weights"):
        raise InputError(f"average must be 'predictions' or 'weights', got {average!r}")
    for name, count in (("picks", picks), ("bags", bags)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"{name} must be a whole number of at least 1, got {count!r}")


def _one_network(runs: tuple[Run, ...], data: Dataset | None, select: str | None, metric: Metric) -> Run:
    if data is None:
        raise InputError("average='weights' needs data, to measure the network and the statistics of its norms")
    check_alike(runs)
    kept = runs if select is None else greedy_soup(runs, data, metric)
    return averaged(kept, data, metric).measured(data)


def _selected(
    runs: tuple[Run, ...], data: Dataset, metric: Metric, picks: int, bags: int, seed: int
) -> tuple[tuple[Run, ...], tuple[float, ...]]:
    part = scores.deciding(data)
    weights, task = scores.weights_of(part), runs[0].target.task

    def score(predictions: Any) -> float:
        return gain(metric, scores.scores(predictions, part.y, weights, task, metric)[metric.key])

    predictions = np.stack([run.moments(part)[0].astype(np.float64) for run in runs])
    counts = select_greedily(predictions, score, picks=picks, bags=bags, seed=seed)
    chosen = np.flatnonzero(counts)
    shares = (counts[chosen] / counts.sum()).tolist()
    return tuple(runs[index] for index in chosen), tuple(shares)
