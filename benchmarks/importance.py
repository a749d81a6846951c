"""Which hyper-parameters of SGD matter most, and is it the order that Andrew Ng teaches? Shares of variance, measured.

    python benchmarks/importance.py                        # digits and MNIST, 512 trials over each range: half an hour
    python benchmarks/importance.py --sets digits          # digits alone: a few minutes
    python benchmarks/importance.py --quick                # a smoke test, whose shares mean nothing

Ng (deeplearning.ai, Improving Deep Neural Networks, week 3, "Tuning process") puts the learning rate first; then momentum,
mini-batch size and hidden units; then the number of layers and the decay of the learning rate. Networks of equal hidden
layers are trained by SGD at points of a Sobol sequence, and `kl.Study.importance` (functional analysis of variance) gives
the share of the variance of the validation accuracy that each of the six explains alone. What is missing to 1 is due to
several together.

Such shares belong to the ranges that were searched: a range that is wide enough makes anything important. So there are two
studies: the learning rate over four decades, and over one around the best of the first. Everything else is the same, and so
are the points of the sequence. Trials that diverged have no score and are left out, which takes away from whatever made
them diverge.
"""

import argparse
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

import kilter as kl
from kilter import losses, nn, optim
from kilter.data.dataset import Dataset

MNIST = Path(__file__).parent.parent.parent / "shared" / "data" / "mnist10k.npz"
EPOCHS = {"digits": 20, "mnist": 10}
WIDE = (1e-4, 1.0)
# The order in question: groups of hyper-parameters, the most important first.
GROUPS = (("lr",), ("momentum", "batch", "width"), ("depth", "decay"))


class AtOnce(kl.strategies.Sobol):
    """Sobol's points all in one batch, so that every structure is one fleet: a compile each."""

    batch: ClassVar[int] = 1 << 16


def mnist(path: Path) -> Dataset:
    """10,000 MNIST digits, a fifth of them to validate."""
    with np.load(path) as file:
        x, y = file["x"], file["y"]
    return kl.data.from_arrays(x.reshape(len(x), -1) / np.float32(255), y, validation=0.2, title="mnist")


def space(data: Dataset, lr: tuple[float, float], epochs: int, quick: bool) -> kl.Recipe:
    """Six hyper-parameters; decay is the share of the learning rate that is left at the end, reached exponentially."""
    widths, batches, deepest = ((8, 16), (64, 128), 2) if quick else ((32, 64, 128, 256), (16, 32, 64, 128), 3)
    block = nn.Chain(nn.Dense(kl.shared("width", kl.Choice(*widths))), nn.ReLU())
    decayed = optim.Geometric(kl.shared("lr", kl.LogUniform(*lr)), kl.shared("decay", kl.LogUniform(0.01, 1.0)))
    return kl.Recipe(
        nn.Chain(kl.shared("depth", kl.Repeat(block, 1, deepest)), nn.Dense(data.classes)),
        losses.SoftmaxCrossEntropy(),
        optimizer=optim.SGD(decayed, momentum=kl.shared("momentum", kl.Uniform(0.0, 0.99))),
        batch_size=kl.shared("batch", kl.Choice(*batches)),
        epochs=epochs,
    )


def decade(study: kl.Study) -> tuple[float, float]:
    """One decade of learning rates, around the middle of those of the best twentieth of the trials."""
    middle = float(np.exp(np.log(study.leaderboard(max(1, len(study.records) // 20))["lr"]).mean()))
    return middle / math.sqrt(10), middle * math.sqrt(10)


def studies(data: Dataset, trials: int, epochs: int, quick: bool) -> dict[str, kl.Study]:
    """By range, the wide and the narrow study."""
    wide = kl.search(space(data, WIDE, epochs, quick), data, trials=trials, strategy=AtOnce())
    lr = decade(wide)
    narrow = kl.search(space(data, lr, epochs, quick), data, trials=trials, strategy=AtOnce())
    return {f"lr {low:.2g} to {high:.2g}": study for (low, high), study in ((WIDE, wide), (lr, narrow))}


def verdict(ahead: float, spread: float) -> str:
    """Whether a difference of shares is above zero by more than its spread."""
    word = "yes" if ahead > spread else "no" if ahead < -spread else "cannot be told"
    return f"{word} ({ahead:+.3f} ± {spread:.3f})"


def group(shares: pd.DataFrame, names: Sequence[str]) -> tuple[float, float]:
    """Mean share of a group and the spread of that mean."""
    chosen = shares.loc[list(names)]
    return float(chosen["importance"].mean()), float(np.sqrt((chosen["spread"] ** 2).sum()) / len(names))


def first(shares: pd.DataFrame) -> str:
    """Whether the learning rate comes before the largest of the others."""
    others = shares.drop("lr")
    (own, own_spread), (other, other_spread) = shares.loc["lr"], others.iloc[0]
    return f"{verdict(own - other, math.hypot(own_spread, other_spread))}, next is {others.index[0]}"


def ordered(shares: pd.DataFrame, before: Sequence[str], after: Sequence[str]) -> str:
    """Whether the mean share of one group is above that of another."""
    (one, one_spread), (other, other_spread) = group(shares, before), group(shares, after)
    return verdict(one - other, math.hypot(one_spread, other_spread))


def line(*cells: str) -> None:
    """A line of a markdown table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def report(name: str, found: dict[str, kl.Study]) -> None:
    """The tables of one data set: shares, and what they say of the order."""
    shares = [study.importance() for study in found.values()]
    line(name, "Ng's group", *found)
    line(*["---"] * (2 + len(found)))
    for rank, names in enumerate(GROUPS, 1):
        for each in names:
            rows = [table.loc[each] for table in shares]
            line(each, str(rank), *(f"{row['importance']:.3f} ± {row['spread']:.3f}" for row in rows))
    line("several together", "", *(f"{1 - table['importance'].sum():.3f}" for table in shares))
    line("lr comes first", "", *(first(table) for table in shares))
    for rank, (before, after) in enumerate(itertools.pairwise(GROUPS), 1):
        line(f"group {rank} before group {rank + 1}", "", *(ordered(table, before, after) for table in shares))
    scores = [study.trials["score"] for study in found.values()]
    line("accuracy: best, middle", "", *(f"{each.max():.4f}, {each.median():.4f}" for each in scores))
    line("trials, of them diverged", "", *(f"{len(each)}, {each.isna().sum()}" for each in scores))
    print()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test: digits, a handful of tiny networks")
    parser.add_argument("--trials", type=int, default=512, help="of each study")
    parser.add_argument("--sets", nargs="+", default=list(EPOCHS), choices=EPOCHS)
    parser.add_argument("--mnist", type=Path, default=MNIST, help="an npz file with x (rows, 28, 28) and y")
    given = parser.parse_args(arguments)
    for name in ["digits"] if given.quick else given.sets:
        if name == "mnist" and not given.mnist.exists():
            print(f"mnist is left out: there is no {given.mnist}; give its path with --mnist")
            continue
        data = kl.data.digits(test=0.0) if name == "digits" else mnist(given.mnist)
        trials, epochs = (6, 2) if given.quick else (given.trials, EPOCHS[name])
        report(name, studies(data, trials, epochs, given.quick))


if __name__ == "__main__":
    main()
