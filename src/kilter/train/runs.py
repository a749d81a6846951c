"""Runs of a fleet: a list that also makes a table of scores and of what the recipes differ in."""

from collections.abc import Iterable, Sequence
from typing import Any

from kilter.core.paths import children, walk
from kilter.core.plotted import Plotted
from kilter.train.recipe import Recipe
from kilter.train.run import Run


class Runs(list[Run], Plotted):
    """What `kilter.train_fleet` returns: all seeds of the first recipe, then of the second, and so on.

    >>> import kilter as kl
    >>> from kilter import nn, optim, losses
    >>> recipe = kl.Recipe(nn.Chain(nn.Dense(16), nn.ReLU(), nn.Dense(3)), losses.SoftmaxCrossEntropy(),
    ...     optimizer=optim.Adam(0.01), epochs=2)
    >>> runs = kl.train_fleet([recipe, recipe.put("optimizer.lr", 0.1)], kl.data.iris(), seeds=[0, 1], progress=False)
    >>> list(runs.frame().columns)
    ['recipe', 'seed', 'score', 'outcome', 'epochs', 'seconds', 'optimizer.lr']
    """

    def __init__(self, runs: Iterable[Run] = (), *, seeds: int = 1) -> None:
        super().__init__(runs)
        self._seeds = seeds

    @property
    def best(self) -> Run:
        """The run with the best score; of those that all diverged, the first."""
        sign = 1.0 if self[0].metric.higher_is_better else -1.0
        return max(self, key=lambda run: sign * run.score if run.score == run.score else float("-inf"))

    def frame(self) -> Any:
        """A pandas frame with a row a run.

        Columns: ``recipe`` (its place in the call), ``seed``, ``score``, ``outcome``, ``epochs`` that were run,
        ``seconds`` (its share of the training of its fleet), and by their paths the numbers and choices that differ
        between the recipes (``recipe.epochs`` where those do).
        """
        import pandas as pd  # takes long to import

        differing = differences([run.recipe for run in self])
        rows = [
            {
                "recipe": place // self._seeds,
                "seed": run.seed,
                "score": run.score,
                "outcome": run.outcome.name.lower(),
                "epochs": len(run.history["loss"]),
                "seconds": run.seconds.get("member", run.seconds.get("train")),
            }
            | {path if path != "epochs" else "recipe.epochs": value for path, value in each.items()}
            for place, (run, each) in enumerate(zip(self, differing, strict=True))
        ]
        return pd.DataFrame(rows)


def differences(recipes: Sequence[Recipe]) -> list[dict[str, Any]]:
    """For each recipe the fields, by path, in which not all recipes agree; None where it has no such field."""
    told = [_fields(recipe) for recipe in recipes]
    paths = dict.fromkeys(path for each in told for path in each)
    differing = [path for path in paths if len({repr(each.get(path)) for each in told}) > 1]
    return [{path: each.get(path) for path in differing} for each in told]


def _fields(recipe: Recipe) -> dict[str, Any]:
    """Numbers and choices by path, and the kind of each layer, so that layers of another kind show as such."""
    found = {}
    for place, value in walk(recipe):
        if place.endswith("]"):
            found[place] = type(value).name()
        for name, field in children(value):
            if not hasattr(field, "_specs") and not _holds_values(field):
                found[f"{place}.{name}" if place else name] = field
    return found


def _holds_values(field: Any) -> bool:
    return isinstance(field, tuple) and any(hasattr(item, "_specs") for item in field)
