"""Cross-validation of recipes: the same folds and the same chance for all, and paired tests between them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kilter.core.checks import check_seed
from kilter.core.errors import InputError
from kilter.core.plotted import Plotted
from kilter.data.dataset import Dataset, Part
from kilter.data.split import fold, split
from kilter.data.stream import Stream
from kilter.metrics import Metric, describe
from kilter.train.check import check_all, deciding_metric
from kilter.train.launch import train_fleet
from kilter.train.outcome import Outcome
from kilter.train.recipe import Recipe
from kilter.train.run import Run
from kilter.train.runs import differences

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Comparison:
    """A paired test between two recipes.

    Attributes:
        difference: mean of the scores of the first less those of the second.
        t: the corrected statistic.
        p: chance of a difference as large either way, were the two equally good.
    """

    difference: float
    t: float
    p: float


@dataclass(frozen=True)
class CrossValidation(Plotted):
    """What `cross_validate` found; prints as a table.

    Attributes:
        recipes: that were compared.
        metric: that decides.
        seeds: one partition into folds each.
        scores: on the rows held out, ``(recipes, seeds, folds)``; NaN where a network diverged.
        rows: a dict for each network: ``recipe``, ``seed``, ``fold``, ``score``, ``outcome``, ``epochs``.
    """

    recipes: tuple[Recipe, ...]
    metric: Metric
    seeds: tuple[int, ...]
    scores: Array
    rows: tuple[dict[str, Any], ...]

    @property
    def mean(self) -> Array:
        """Mean score of each recipe; NaN where one of its networks diverged."""
        return self.scores.mean((1, 2))

    @property
    def spread(self) -> Array:
        """Standard deviation of each recipe's scores over folds and seeds. Scores share rows: it is no standard error."""
        return self.scores.std((1, 2), ddof=1)

    @property
    def best(self) -> int:
        """Place of the recipe with the best mean."""
        sign = 1.0 if self.metric.higher_is_better else -1.0
        return int(np.nan_to_num(sign * self.mean, nan=-np.inf, posinf=np.inf, neginf=-np.inf).argmax())

    def compare(self, first: int, second: int) -> Comparison:
        """The corrected resampled t-test between two recipes, given by their places. Nadeau and Bengio 2003, section 4.

        t = d / sqrt((1 / n + held / trained) s^2), where d and s^2 are mean and variance of the n = folds x seeds paired
        differences, and held / trained = 1 / (folds - 1) is the ratio of the rows; p from Student's distribution with
        n - 1 degrees of freedom. The plain t-test, without the second term, takes overlapping training rows for
        independent ones and finds differences that are not there. For folds that repeat: Bouckaert and Frank 2004.
        """
        from scipy.special import stdtr  # takes long to import

        differences = (self.scores[first] - self.scores[second]).ravel()
        count, mean, variance = differences.size, differences.mean(), differences.var(ddof=1)
        if variance == 0:
            same = mean == 0
            return Comparison(float(mean), 0.0 if same else float(np.copysign(np.inf, mean)), 1.0 if same else 0.0)
        t = mean / np.sqrt((1 / count + 1 / (self.scores.shape[2] - 1)) * variance)
        return Comparison(float(mean), float(t), float(2 * stdtr(count - 1, -abs(t))))

    def frame(self) -> Any:
        """A pandas frame with a row for each network, and by their paths the fields in which the recipes differ."""
        import pandas as pd  # takes long to import

        differing = differences(self.recipes)
        return pd.DataFrame([row | differing[row["recipe"]] for row in self.rows])

    def __repr__(self) -> str:
        count, seeds, folds = self.scores.shape
        lines = [f"CrossValidation({self.metric.key}, {folds} folds x {seeds} seeds, {count} recipes)"]
        for place, (mean, spread) in enumerate(zip(self.mean, self.spread, strict=True)):
            told = ", ".join(f"{path}={value}" for path, value in differences(self.recipes)[place].items())
            against = "best" if place == self.best else f"p {self.compare(self.best, place).p:.2g} against the best"
            lines.append(f"  {place}: {describe(mean)} +- {describe(spread)}  {against}  {told}".rstrip())
        return "\n".join(lines)


def cross_validate(
    recipes: Recipe | Sequence[Recipe],
    data: Dataset,
    *,
    folds: int = 5,
    seeds: int | Sequence[int] = 2,
    validation: float = 0.0,
    progress: bool | None = None,
) -> CrossValidation:
    """Train every recipe on all folds but one, in turn, and score it on the rows held out.

    The rows are those of the training and validation parts; the test part is left alone. Each seed cuts them into folds of
    its own, classes in the same shares, and draws weights, orders of rows and dropout: the same for every recipe, so that
    recipes are compared under the same chance. Recipes of one structure train together; folds of equal size, which differ
    by one row at most, share compiled programs. Preprocessing of a recipe is fitted anew on each fold's training rows; the
    encoding of a table's columns is that of the dataset. Kohavi 1995. scikit-learn's `cross_val_score` trains the networks
    one by one, and tests nothing.

    Args:
        recipes: one or more.
        data: made by `kilter.data`.
        folds: number of parts, at least 2.
        seeds: how many partitions, or the seeds themselves.
        validation: share of each fold's training rows held out to choose the best epoch and for early stopping; 0: the
            weights of the last epoch are scored. The rows that score never choose.
        progress: show a progress line; left open, if standard error is a terminal.

    Raises:
        InputError: fewer rows than folds, one class alone, or a recipe that does not fit; raised before anything compiles.

    >>> import kilter as kl
    >>> from kilter import nn, optim, losses
    >>> net = nn.Chain(nn.Dense(16), nn.ReLU(), nn.Dense(3))
    >>> recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01), epochs=20)
    >>> found = kl.cross_validate([recipe, recipe.put("optimizer.lr", 1e-5)], kl.data.iris(), seeds=1, progress=False)
    >>> found.best, found.compare(0, 1).p < 0.05
    (0, True)
    """
    recipes = (recipes,) if isinstance(recipes, Recipe) else tuple(recipes)
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(map(check_seed, seeds))
    if isinstance(data, Stream):
        raise InputError(
            "cross_validate needs all rows in memory, but these are a stream; give stream.sample for some of them"
        )
    whole = _whole(data)
    _check(recipes, data, whole, folds, chosen)
    scores = np.full((len(recipes), len(chosen), folds), np.nan)
    rows = []
    for place, seed in enumerate(chosen):
        for number, held in enumerate(fold(len(whole), folds, seed, _classes(data, whole))):
            runs = train_fleet(recipes, _without(data, whole, held, validation, seed), seeds=[seed], progress=progress)
            for index, run in enumerate(runs):
                scores[index, place, number] = score = _score(run)
                told = {"recipe": index, "seed": seed, "fold": number, "score": score}
                rows.append(told | {"outcome": run.outcome.name.lower(), "epochs": len(run.history["loss"])})
    return CrossValidation(recipes, deciding_metric(recipes[0], data), chosen, scores, tuple(rows))


def _check(recipes: tuple[Recipe, ...], data: Dataset, whole: Part, folds: Any, seeds: tuple[int, ...]) -> None:
    if not recipes or not seeds:
        raise InputError(f"at least one recipe and one seed are needed, got {len(recipes)} and {len(seeds)}")
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise InputError(f"folds must be a whole number of at least 2, got {folds!r}")
    if len(whole) < folds:
        raise InputError(f"{len(whole)} rows cannot be cut into {folds} folds; take fewer folds")
    if data.classes and len(np.unique(whole.y)) < 2:
        raise InputError(
            "all rows are of one class, so that there is nothing to tell apart; give rows of other classes"
        )
    check_all(recipes, data)
    if len({deciding_metric(recipe, data) for recipe in recipes}) > 1:
        raise InputError("the recipes are decided by different metrics; give all of them the same metric")


def _whole(data: Dataset) -> Part:
    """The rows that are cut into folds."""
    if data.validation is None:
        return data.train
    a, b = data.train, data.validation
    ones = [np.ones(len(part), np.float32) if part.weights is None else part.weights for part in (a, b)]
    weights = None if a.weights is None and b.weights is None else np.concatenate(ones)
    return Part(np.concatenate([a.x, b.x]), np.concatenate([a.y, b.y]), weights)


def _classes(data: Dataset, part: Part) -> Array | None:
    return part.y if data.target.task == "classes" else None


def _without(data: Dataset, whole: Part, held: Array, validation: float, seed: int) -> Dataset:
    """The dataset of one fold: the rows held out are its test part."""
    rest = whole.take(np.setdiff1d(np.arange(len(whole)), held))
    parts = split(len(rest), {"validation": validation}, seed, _classes(data, rest))
    judged = rest.take(parts["validation"]) if len(parts["validation"]) else None
    return replace(data, train=rest.take(parts["train"]), validation=judged, test=whole.take(held))


def _score(run: Run) -> float:
    return float("nan") if run.outcome is Outcome.DIVERGED else run.metrics[f"test_{run.metric.key}"]
