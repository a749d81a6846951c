"""How fast is each part alone? Forward and gradients of a layer, loss, optimizer or net, against PyTorch's best form.

Ours runs in a loop compiled as training compiles it; PyTorch's eager, and compiled by TorchInductor where it can be.
Every update changes parameters and inputs by their gradients, so that nothing is left out or taken out of the loop. Rounds
alternate; a ratio is taken within a round.

python benchmarks/layers.py                      # all rows, against PyTorch eager and compiled
python benchmarks/layers.py --only LSTM ResNet   # rows whose names hold one of these
python benchmarks/layers.py --eager              # without torch.compile, which takes half a minute a row
taskset -c 0 python benchmarks/layers.py         # on one core, in processor time: where others are at work
python benchmarks/layers.py --quick              # a smoke test of some rows
"""

import argparse
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from kilter.core.devices import usable_cores
from layer_cases import Case, Program, cases
from layer_sides import machine_rate


class Row(NamedTuple):
    """Median, lowest and highest of the ratios of times; above 1, Kilter is faster.

    Attributes:
        name: what is compared.
        seconds: median time of an update of ours.
        eager: of PyTorch eager to ours.
        compiled: of PyTorch compiled to ours; None where it was not compiled.
        best: of PyTorch's faster form to ours, of the shortest times of all rounds.
        rate: products' operations a second of ours over the best of the machine; None where there is no such number.
    """

    name: str
    seconds: float
    eager: tuple[float, float, float]
    compiled: tuple[float, float, float] | None
    best: float
    rate: float | None


def rows(quick: bool, only: Sequence[str] = (), compiled: bool = True, rounds: int = 11) -> list[Row]:
    """Measure every case, or those whose names hold one of ``only``."""
    return list(measured(quick, only, compiled, rounds))


def measured(quick: bool, only: Sequence[str], compiled: bool, rounds: int) -> Iterator[Row]:
    """The same one by one; quick, once and without compiling PyTorch's side."""
    for case in cases(quick):
        if not only or any(part in case.name for part in only):
            yield measure(case, compiled and not quick, 1 if quick else rounds)


def measure(case: Case, compiled: bool, rounds: int) -> Row:
    """Run all sides of a case in turns."""
    torch.compiler.reset()
    sides: dict[str, Program] = {"ours": case.ours(), "eager": case.theirs(False)}
    if compiled:
        sides["compiled"] = case.theirs(True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what compilers say of their own insides
        for program in sides.values():
            program()
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, program in sides.items():
            times[name].append(timed(program) / case.updates)
    least = {name: min(found) for name, found in times.items()}
    best = min(value for name, value in least.items() if name != "ours") / least["ours"]
    rate = None if case.operations is None else case.operations / least["ours"] / machine_rate(*case.product)
    ratios = {name: spread(found, times["ours"]) for name, found in times.items()}
    return Row(case.name, float(np.median(times["ours"])), ratios["eager"], ratios.get("compiled"), best, rate)


def timed(program: Program) -> float:
    """Seconds of one run: of the clock, or where there is one core, which others may want too, of the processor."""
    clock = time.process_time if usable_cores() == 1 else time.perf_counter
    start = clock()
    program()
    return clock() - start


def spread(theirs: Sequence[float], ours: Sequence[float]) -> tuple[float, float, float]:
    """Median, lowest and highest ratio within a round."""
    ratios = np.array(theirs) / np.array(ours)
    return float(np.median(ratios)), float(ratios.min()), float(ratios.max())


def written(ratios: tuple[float, float, float] | None) -> str:
    """As a cell of the table."""
    return "" if ratios is None else "{:.2f} ({:.2f} to {:.2f})".format(*ratios)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of some rows")
    parser.add_argument("--only", nargs="*", default=(), help="rows whose names hold one of these")
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    parser.add_argument("--rounds", type=int, default=11, help="rounds of each row")
    given = parser.parse_args(arguments)
    print("| part | us an update | PyTorch eager | PyTorch compiled | best, of shortest | share of rate |")
    print("|---|--:|--:|--:|--:|--:|")
    for row in measured(given.quick, given.only, not given.eager, given.rounds):
        cells = (f"{1e6 * row.seconds:.0f}", written(row.eager), written(row.compiled), f"{row.best:.2f}")
        print(f"| {row.name} | {' | '.join(cells)} | {'' if row.rate is None else f'{row.rate:.2f}'} |", flush=True)


if __name__ == "__main__":
    main()
