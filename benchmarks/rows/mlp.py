"""Multilayer perceptrons: plain, with batch norm, with dropout."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

from contest import Contest, Row
from limit import Size
from sets import noise
from sides.job import Job
from sides.training import contest

GROUP = "Multilayer perceptrons"
DRESSED = "With batch norm or dropout"
RATE = 0.5


@dataclass(frozen=True)
class Case:
    """Sizes, rows, batch, epochs, what stands between the layers, and what is aimed at, as a `Row` has it."""

    sizes: tuple[int, ...]
    rows: int
    batch: int
    epochs: int
    aim: float | None = None
    share: float | None = None
    norm: bool = False
    dropout: bool = False
    tuned: bool = False
    weight: float = 1.0

    @property
    def net(self) -> str:
        """Sizes as one says them."""
        hidden = self.sizes[1:-1]
        alike = len(hidden) > 2 and len(set(hidden)) == 1
        middle = f"{hidden[0]}x{len(hidden)}" if alike else "-".join(map(str, hidden))
        return f"{self.sizes[0]}-{middle}-{self.sizes[-1]}"

    @property
    def row(self) -> Row:
        """The line of the page."""
        kind = "".join(word for word, on in (("-norm", self.norm), ("-dropout", self.dropout)) if on)
        more = ", batch norm" * self.norm + f", dropout {RATE}" * self.dropout
        return Row(
            f"mlp-{self.net}{kind}-{self.rows}",
            f"{self.net}{more}; {self.rows:,} rows, batch {self.batch}",
            DRESSED if kind else GROUP,
            partial(make, self),
            self.aim,
            self.share,
            self.weight,
        )


def make(case: Case, quick: bool) -> Contest:
    """The contest of a case; quick, JAX's peers take part in three of them, as they compile every one anew."""
    if not quick:
        return contest(job(case), products(case), tuned=case.tuned)
    case, whole = tiny(case), case.sizes == SMALL and case.rows == 10_000
    work = job(case) if whole else replace(job(case), flax=None, keras=None)
    return contest(work, products(case), quick=True)


def tiny(case: Case) -> Case:
    """As small as can be."""
    return replace(case, sizes=(8, *(8 for _ in case.sizes[1:-1]), 2), rows=72, batch=32, epochs=2)


def job(case: Case) -> Job:
    """What all contestants do."""
    plain = not (case.norm or case.dropout)
    return Job(
        *noise(case.rows, case.sizes[:1], case.sizes[-1]),
        case.batch,
        case.epochs,
        kilter=partial(kilter_net, case),
        torch=partial(torch_net, case),
        flax=partial(flax_net, case),
        keras=partial(keras_net, case),
        hidden=case.sizes[1:-1] if plain else None,
    )


def products(case: Case) -> list[Size]:
    """Of each layer: forward, of the weights' gradient and, but for the first layer, of the inputs'."""
    found: list[Size] = []
    for place, (a, b) in enumerate(pairwise(case.sizes)):
        found += [(case.batch, a, b), (a, case.batch, b), *([(case.batch, b, a)] if place else [])]
    return found


def dressed(case: Case, linear: Any, norm: Any, relu: Any, dropout: Any) -> list[Any]:
    """The layers of a net, made by these makers."""
    layers = []
    for a, b in pairwise(case.sizes[:-1]):
        layers += [linear(a, b), *([norm(b)] if case.norm else []), relu()]
        layers += [dropout()] if case.dropout else []
    return [*layers, linear(*case.sizes[-2:])]


def kilter_net(case: Case) -> Any:
    """In Kilter."""
    from kilter import nn

    layers = dressed(case, lambda a, b: nn.Dense(b), lambda b: nn.BatchNorm(), nn.ReLU, lambda: nn.Dropout(RATE))
    return nn.Chain(*layers)


def torch_net(case: Case) -> Any:
    """In PyTorch."""
    from torch import nn

    layers = dressed(
        case,
        lambda a, b: nn.Linear(a, b, bias=not case.norm or b == case.sizes[-1]),
        nn.BatchNorm1d,
        partial(nn.ReLU, inplace=True),
        lambda: nn.Dropout(RATE),
    )
    return nn.Sequential(*layers)


def flax_net(case: Case) -> Any:
    """In Flax."""
    from flax import linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any, train: bool) -> Any:
            for units in case.sizes[1:-1]:
                x = nn.Dense(units, use_bias=not case.norm)(x)
                x = nn.BatchNorm(not train, momentum=0.9)(x) if case.norm else x
                x = nn.relu(x)
                x = nn.Dropout(RATE, deterministic=not train)(x) if case.dropout else x
            return nn.Dense(case.sizes[-1])(x)

    return Net()


def keras_net(case: Case) -> Any:
    """In Keras."""
    from keras import Sequential, layers

    return Sequential(
        dressed(
            case,
            lambda a, b: layers.Dense(b, use_bias=not case.norm or b == case.sizes[-1]),
            lambda b: layers.BatchNormalization(momentum=0.9),
            layers.ReLU,
            lambda: layers.Dropout(RATE),
        )
    )


TINY, SMALL, MIDDLE = (20, 32, 32, 2), (64, 128, 128, 10), (784, 512, 512, 10)
WIDE = (784, 1024, 1024, 1024, 1024, 10)


def rows(*cases: Case) -> Sequence[Row]:
    """Lines of the page."""
    return [case.row for case in cases]


FIRST = rows(
    Case(TINY, 1_000, 32, 320, aim=5.0, tuned=True),
    Case(SMALL, 10_000, 64, 16, aim=5.0, tuned=True),
    Case(MIDDLE, 10_000, 128, 4, aim=1.5, tuned=True, weight=1.5),
    Case(WIDE, 10_000, 256, 2, aim=1.05, share=0.85, tuned=True, weight=2.5),
)
WITH_MORE = rows(
    Case(SMALL, 10_000, 64, 16, norm=True),
    Case(SMALL, 10_000, 64, 16, dropout=True),
    Case(MIDDLE, 10_000, 128, 4, norm=True, weight=1.5),
    Case(MIDDLE, 10_000, 128, 4, dropout=True, weight=1.5),
    Case(WIDE, 10_000, 256, 2, norm=True, weight=2.0),
    Case(WIDE, 10_000, 256, 2, dropout=True, weight=2.0),
)
OTHER_SIZES = rows(
    Case(TINY, 10_000, 32, 32, aim=5.0),
    Case(TINY, 1_000_000, 256, 2, aim=5.0, weight=1.5),
    Case(SMALL, 1_000, 64, 160, aim=5.0),
    Case(SMALL, 1_000_000, 256, 1, aim=5.0, weight=2.0),
    Case(MIDDLE, 1_000, 128, 16, aim=1.5),
    Case(WIDE, 1_000, 128, 8, aim=1.05, weight=1.5),
)
