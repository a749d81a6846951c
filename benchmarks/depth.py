"""Do the parts do what they are for in a net of 30 layers? Initializers, SELU, LSUV and batch norm on real digits.

Four questions, a function and a table each; nets are dense, of one width, and every row is of several seeds:

1. Do matched weights train where weights of a fixed spread, too small or too large, fail at the same rate?
2. Do SELU, LeCun's weights and alpha dropout keep mean and variance through all layers?
3. Does LSUV bring every layer within 10 % of unit variance, whatever the weights were?
4. Does batch norm make the weights train that are too small without it?

    python benchmarks/depth.py             # 8000 digits of MNIST where they lie beside the project; some minutes
    python benchmarks/depth.py --quick     # a smoke test: two layers of tanh, SGD, one epoch, few digits
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from kilter.data.dataset import Dataset
from kilter.nn.layer import Layer
from kilter.optim.optimizer import Optimizer
from kilter.train.outcome import Outcome
from sets import MNIST, mnist
from signals import initial, moments, outputs, places, signals, spread

# One scale for all pixels: by pixel, the rare ones at the rim would become the largest inputs.
INPUTS = kl.data.ChannelStandardize()
# Behind a batch norm a step turns weights W by lr / |W|^2 (van Laarhoven 2017): at a spread of 0.01 a hundred times as far
# as at the matched one, so that these nets need a smaller rate.
SGD, ADAM, NORMED = (
    optim.SGD(optim.OneCycle(4e-3), momentum=0.9),
    optim.Adam(optim.OneCycle(1e-3)),
    optim.SGD(optim.OneCycle(3e-4), momentum=0.9),
)
SMALL, LARGE = nn.initializers.Normal(0.01), nn.initializers.Normal(1.0)
ACTIVATIONS = (nn.Tanh(), nn.ReLU())
REACHED, CHANCE = 0.93, 0.2


@dataclass(frozen=True)
class Setting:
    """What a form of the script varies: the data, the size of the nets, and how long which seeds train."""

    data: Dataset
    depth: int = 30
    width: int = 100
    epochs: int = 30
    seeds: tuple[int, ...] = (0, 1, 2)
    activations: tuple[Layer, ...] = ACTIVATIONS
    optimizers: tuple[Optimizer, ...] = (SGD, ADAM)

    @property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Some hundred training rows as the nets see them, to measure signals on."""
        train = self.data.train
        return INPUTS.apply(INPUTS.fit(train.x), train.x[:512]), train.y[:512]

    def chain(self, *block: Layer, initializer: Any = None) -> nn.Chain:
        """The block, once a layer, between the pixels and ten outputs."""
        return nn.Chain(nn.Flatten(), *block * self.depth, nn.Dense(10, initializer=initializer))

    def drawn(self, net: nn.Chain) -> tuple[Any, Any]:
        """Parameters and state with which the runs begin, seeds stacked."""
        return initial(net, jnp.array(self.seeds), self.data.shape)

    def dense(self, **options: Any) -> nn.Dense:
        """A dense layer of this width."""
        return nn.Dense(self.width, **options)


def digits() -> Dataset:
    """8000 digits of MNIST and 2000 to validate; scikit-learn's smaller ones where MNIST is not at hand."""
    if not MNIST.exists():
        return kl.data.digits(images=True, test=0)
    x, y = mnist(10_000)
    x = x.reshape(-1, 28, 28, 1)
    return kl.data.from_arrays(x[:8000], y[:8000], validation=(x[8000:], y[8000:]), title="MNIST")


@dataclass(frozen=True)
class Training:
    """One row of the tables of trainings: best accuracies and last losses by seed, signals ``(seeds, depth)`` by name."""

    activation: Layer
    weights: str
    accuracies: np.ndarray
    losses: np.ndarray
    diverged: bool
    signals: dict[str, np.ndarray] = field(repr=False)

    @property
    def start(self) -> str:
        """What becomes of the signal on its way through the fresh net."""
        last = float(np.median(self.signals["std"][:, -1]))
        if last < 1e-3 or last > 1e3:
            return "vanishes" if last < 1 else "explodes"
        return "saturates" if self.signals["saturated"].mean() > 0.5 else "is kept"

    @property
    def outcome(self) -> str:
        """What becomes of the training: success is judged by the worst seed, failure by the best."""
        if self.accuracies.min() >= REACHED:
            return "trains"
        if self.accuracies.max() >= CHANCE:
            return "learns"
        return "diverges" if self.diverged else "at chance"

    @property
    def ratio(self) -> float:
        """Gradient at the first activation over that at the last, median of the seeds."""
        gradient = self.signals["gradient"].astype(np.float64)
        return float(np.median(gradient[:, 0] / gradient[:, -1]))


def train(setting: Setting, cases: Iterable[tuple[Layer, str, nn.Chain]], optimizer: Optimizer) -> list[Training]:
    """Train every net with every seed; nets that differ in numbers alone train as one fleet."""
    cases = list(cases)
    loss = losses.SoftmaxCrossEntropy()
    options = {"optimizer": optimizer, "batch_size": 64, "epochs": setting.epochs, "inputs": INPUTS}
    recipes = [kl.Recipe(net, loss, **options) for *_, net in cases]
    runs = kl.train_fleet(recipes, setting.data, seeds=setting.seeds, progress=False)
    found = []
    for index, (activation, weights, net) in enumerate(cases):
        own = runs[index * len(setting.seeds) :][: len(setting.seeds)]
        found.append(
            Training(
                activation,
                weights,
                np.array([np.nanmax(run.history["val_accuracy"]) for run in own]),
                np.array([run.history["loss"][-1] for run in own]),
                all(run.outcome is Outcome.DIVERGED for run in own),
                jax.device_get(signals(net, *setting.drawn(net), jnp.array(setting.seeds), *setting.rows)),
            )
        )
    return found


def weights_decide(setting: Setting, optimizer: Optimizer) -> list[Training]:
    """1: matched weights, and those of a fixed spread, at one rate."""
    kinds = {"matched": None, "std 0.01": SMALL, "std 1": LARGE}
    return train(
        setting,
        [
            (activation, name, setting.chain(setting.dense(initializer=kind), activation, initializer=kind))
            for activation in setting.activations
            for name, kind in kinds.items()
        ],
        optimizer,
    )


def selu_keeps_moments(setting: Setting, *, training: bool, rate: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """2: mean and variance behind each block of LeCun's weights, SELU and alpha dropout."""
    block = (setting.dense(initializer=nn.initializers.LeCunNormal()), nn.SELU(), nn.AlphaDropout(rate))
    net = setting.chain(*block)
    seeds = jnp.array(setting.seeds)
    return jax.device_get(moments(net, *setting.drawn(net), seeds, setting.rows[0], nn.AlphaDropout, training))


def lsuv_levels(setting: Setting, activation: Layer, initializer: Any) -> tuple[np.ndarray, np.ndarray]:
    """3: variance of what each dense layer gives, before and after LSUV, ``(seeds, depth + 1)`` each."""
    net = setting.chain(setting.dense(initializer=initializer), activation, initializer=initializer)
    x = setting.rows[0]

    @jax.jit
    def spreads(params: Any, state: Any) -> jax.Array:
        found = outputs(net, params, state, x)
        return jnp.stack([spread(found[index]) for index in places(net, nn.Dense)])

    before, after = [], []
    for index in range(len(setting.seeds)):
        params, state = jax.tree.map(lambda leaf: leaf[index], setting.drawn(net))  # noqa: B023
        before.append(spreads(params, state))
        after.append(spreads(nn.calibrate.lsuv(net, params, state, x), state))
    return np.array(before, np.float64) ** 2, np.array(after, np.float64) ** 2


def batch_norm_rescues(setting: Setting) -> list[Training]:
    """4: weights of a spread of 0.01 with a batch norm in front of each activation, and without, at one rate.

    Behind batch norms gradients grow towards the first layer, with ReLU by 1.21 a layer (Yang et al. 2019, A Mean Field
    Theory of Batch Normalization): to some 230 times over 30 layers, where training gets slow and seeds differ.
    """
    normed, plain = setting.dense(initializer=SMALL, bias=False), setting.dense(initializer=SMALL)
    cases = []
    for activation in setting.activations:
        with_norm = setting.chain(normed, nn.BatchNorm(), activation, initializer=SMALL)
        cases.append((activation, "std 0.01, batch norm", with_norm))
        cases.append((activation, "std 0.01", setting.chain(plain, activation, initializer=SMALL)))
    return train(setting, cases, NORMED)


def layers_shown(depth: int) -> list[int]:
    """First, last and two between, numbered from 1."""
    return sorted({1, max(1, depth // 3), max(1, 2 * depth // 3), depth})


def line(*cells: Any) -> None:
    """Print one row of a table."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def head(title: str, *cells: Any) -> None:
    """Print the title and the first rows of a table."""
    print(f"\n{title}\n")
    line(*cells)
    line(*("---" for _ in cells))


def print_trainings(title: str, depth: int, trainings: Iterable[Training]) -> None:
    """Accuracy is the best validation accuracy of a run; other numbers are medians of the seeds."""
    shown = layers_shown(depth)
    stds = [f"std at {layer}" for layer in shown]
    head(title, "activation", "weights", "accuracy", "last loss", *stds, "gradient first/last", "signal", "outcome")
    for row in trainings:
        found = row.accuracies
        accuracy = f"{found.mean():.3f} ({found.min():.3f} to {found.max():.3f})"
        levels = [f"{np.median(row.signals['std'][:, layer - 1]):.2g}" for layer in shown]
        told = (f"{np.median(row.losses):.3g}", *levels, f"{row.ratio:.2g}", row.start, row.outcome)
        line(type(row.activation).__name__, row.weights, accuracy, *told)


def print_moments(setting: Setting) -> None:
    """Print question 2."""
    shown = layers_shown(setting.depth)
    title = "2. SELU, LeCun's weights, AlphaDropout(0.05): mean and variance by layer, extremes of all layers and seeds"
    head(title, "mode", "moment", *(f"at {layer}" for layer in shown), "lowest", "highest")
    for mode in ("training", "inference"):
        both = selu_keeps_moments(setting, training=mode == "training")
        for name, found in zip(("mean", "variance"), both, strict=True):
            levels = (f"{np.median(found[:, layer - 1]):.3f}" for layer in shown)
            line(mode, name, *levels, f"{found.min():.3f}", f"{found.max():.3f}")


def print_levels(setting: Setting) -> None:
    """Print question 3."""
    title = "3. LSUV: lowest and highest variance of what a dense layer gives, over all layers and seeds"
    head(title, "activation", "weights before", "before", "after", "within 10 %")
    for activation in setting.activations:
        for name, kind in {"LSUV()": nn.initializers.LSUV(), "std 0.01": SMALL, "std 1": LARGE}.items():
            before, after = lsuv_levels(setting, activation, kind)
            ranges = (f"{found.min():.3g} to {found.max():.3g}" for found in (before, after))
            line(type(activation).__name__, name, *ranges, "yes" if (abs(after - 1) <= 0.1).all() else "no")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of every table")
    if parser.parse_args(arguments).quick:
        small = kl.data.digits(images=True, test=0)
        setting = Setting(small, 2, 16, epochs=1, seeds=(0,), activations=ACTIVATIONS[:1], optimizers=(SGD,))
    else:
        setting = Setting(digits())
    print(f"{setting.data}\n{setting.depth} layers of {setting.width}, batch 64, {setting.epochs} epochs, ", end="")
    print(f"seeds {setting.seeds}; trains: at least {REACHED} with every seed; fails: below {CHANCE} with every seed")
    for letter, optimizer in zip("ab", setting.optimizers, strict=False):
        print_trainings(f"1{letter}. {optimizer!r}", setting.depth, weights_decide(setting, optimizer))
    print_moments(setting)
    print_levels(setting)
    print_trainings(f"4. {NORMED!r}", setting.depth, batch_norm_rescues(setting))


if __name__ == "__main__":
    main()
