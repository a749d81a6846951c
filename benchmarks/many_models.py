"""Can one study hold 20,000 tiny models? Seconds, resident memory along the way, and how the scores are spread.

Tools that give each trial a process or an actor of its own are slow here, or run out of memory. The models are nets 4-8-3
on iris, 10 epochs each, at random learning rates. Memory is the resident set, looked at whenever trials have ended; its
slope is fitted over the samples after the first quarter, by when all programs are compiled.

    python benchmarks/many_models.py             # 1,000, 5,000 and 20,000 models
    python benchmarks/many_models.py --quick     # a smoke test
"""

import argparse
import math
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from kilter.data.dataset import Dataset
from kilter.search.fleets import Ended
from kilter.search.runner import Crew, Here
from kilter.search.strategies import Random
from kilter.train.foresight import Company

Array = np.ndarray[Any, Any]
MARKS, BINS, BAR = 8, 10, 50


@dataclass(frozen=True)
class Watched(Here):
    """Trains right here, and notes ``(trials, MiB, seconds)`` as trials end."""

    noted: list[tuple[int, float, float]] = field(default_factory=list)

    @contextmanager
    def crew(self, data: Dataset, seeds: tuple[int, ...], company: Company) -> Iterator[Crew]:
        """That of its base, watched."""
        began, done = time.perf_counter(), 0

        def train(*arguments: Any) -> Iterator[list[Ended]]:
            nonlocal done
            for ended in inner(*arguments):
                done += len(ended)
                self.noted.append((done, resident(), time.perf_counter() - began))
                yield ended

        with super().crew(data, seeds, company) as inner:
            yield train


def resident() -> float:
    """MiB of the resident set."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def searched(trials: int) -> tuple[Array, tuple[float, float], Array]:
    """What was noted; seconds of the whole call, by the clock and of all cores; and the scores."""
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01), batch_size=32, epochs=10)
    space = recipe.put("optimizer.lr", kl.LogUniform(1e-3, 1.0))
    watched, began, busy = Watched(), time.perf_counter(), time.process_time()
    study = kl.search(space, kl.data.iris(), trials=trials, strategy=Random(), runner=watched, progress=False)
    seconds = time.perf_counter() - began, time.process_time() - busy
    assert len(study.records) == trials
    return np.array(watched.noted), seconds, np.array([trial.score for trial in study.records])


def slope(x: Array, y: Array) -> str:
    """Least squares, with its standard error where there are enough points for one."""
    if len(x) < 3:
        return "-"
    x, y = x - x.mean(), y - y.mean()
    found = x @ y / (x @ x)
    return f"{found:.3f} ± {math.sqrt(((y - found * x) ** 2).sum() / (len(x) - 2) / (x @ x)):.3f}"


def print_course(noted: Array) -> None:
    """Memory and time along the way."""
    print("\n| trials done | resident, MiB | seconds |\n|--:|--:|--:|")
    for place in np.unique(np.linspace(0, len(noted) - 1, MARKS).round().astype(int)):
        done, held, seconds = noted[place]
        print(f"| {done:,.0f} | {held:.0f} | {seconds:.1f} |")


def print_scores(scores: Array) -> None:
    """Quantiles, and a histogram."""
    ends = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
    print("\n| quantile |" + "".join(f" {end:g} |" for end in ends) + "\n|---" + "|--:" * len(ends) + "|")
    print("| accuracy |" + "".join(f" {value:.3f} |" for value in np.nanquantile(scores, ends)))
    counts, edges = np.histogram(scores[np.isfinite(scores)], BINS)
    print("\n| accuracy from | models | |\n|--:|--:|:--|")
    for count, edge in zip(counts, edges[:-1], strict=True):
        print(f"| {edge:.2f} | {count:,} | {'#' * math.ceil(BAR * count / counts.max())} |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of some hundred models")
    parser.add_argument("--trials", nargs="*", type=int, default=[1_000, 5_000, 20_000], help="models of a study")
    options = parser.parse_args(arguments)
    print("| models | seconds | seconds of cores | resident at the end, MiB | MiB for each 1,000 more |")
    print("|--:|--:|--:|--:|--:|")
    found: list[tuple[Array, Array]] = []
    for trials in [192] if options.quick else options.trials:
        noted, seconds, scores = searched(trials)
        found.append((noted, scores))
        late = noted[len(noted) // 4 :]
        each = slope(late[:, 0] / 1000, late[:, 1])
        print(f"| {trials:,} | {seconds[0]:.1f} | {seconds[1]:.1f} | {noted[-1, 1]:.0f} | {each} |", flush=True)
    print_course(found[-1][0])
    print_scores(found[-1][1])


if __name__ == "__main__":
    main()
