"""The classic troubles on real digits: what each costs, what the doctor calls it, and what each remedy brings back.

Each remedy alone is trained beside the untouched recipe, paired by seed; the gain has its 95 % interval.

    python benchmarks/troubles.py            # MNIST (10,000 digits of ../shared) and the 8x8 digits of scikit-learn
    python benchmarks/troubles.py --quick    # a smoke test
"""

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from kilter.data.dataset import Dataset
from kilter.doctor import remedies
from kilter.doctor.effect import Effect

MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist10k.npz"


@dataclass(frozen=True)
class Trouble:
    """A sound recipe made ill in one way, and the remedies that are said to help."""

    name: str
    recipe: kl.Recipe
    data: Dataset
    remedies: tuple[str, ...]


def digits() -> Dataset:
    """Digits of 8x8 pixels, 0 to 1, flat."""
    data = kl.data.digits(test=0.0)
    return replace(data, title="digits")


def mnist() -> Dataset:
    """Digits of 28x28 pixels, 0 to 1, flat; 8,000 to train on."""
    arrays = np.load(MNIST)
    order = np.random.default_rng(0).permutation(len(arrays["y"]))
    x = arrays["x"][order].reshape(len(order), -1).astype(np.float32) / 255
    return kl.data.from_arrays(x, arrays["y"][order], validation=0.2, title="MNIST")


def sound(layers: int, units: int, activation: nn.Layer, epochs: int, **settings: object) -> kl.Recipe:
    """A net of dense layers, trained by gradient descent."""
    block = (nn.Dense(units, **settings), activation)
    net = nn.Chain(*(layers * block), nn.Dense(10, **settings))
    return kl.Recipe(
        net, losses.SoftmaxCrossEntropy(), optimizer=optim.SGD(0.05, momentum=0.9), batch_size=64, epochs=epochs
    )  # fmt: skip


def troubles(data: Dataset, epochs: int) -> list[Trouble]:
    """One of each, on the same rows."""
    plain = sound(2, 128, nn.ReLU(), epochs)
    deep = sound(20, 64, nn.Sigmoid(), epochs)
    small = sound(5, 128, nn.ReLU(), epochs, initializer=nn.initializers.Normal(0.01))
    order = np.argsort(data.train.y, kind="stable")
    bright = replace(data, **{name: replace(part, x=255 * part.x) for name, part in data.parts.items()})
    few = replace(data, train=data.train.take(np.arange(200)))
    scaled = plain.put("optimizer.lr", 5.0)
    unmixed = replace(data, train=data.train.take(order))
    wide = sound(2, 512, nn.ReLU(), 5 * epochs)
    return [
        Trouble("20 sigmoid layers", deep, data, ("activation:relu", "batch_norm", "initializer:matched", "residual")),
        Trouble("initial weights of 0.01", small, data, ("initializer:matched", "batch_norm", "optimizer:adam")),
        Trouble("learning rate x 100", scaled, data, ("learning_rate:x0.01", "learning_rate:range_test", "clip")),
        Trouble("inputs from 0 to 255", plain, bright, ("inputs:standardize", "learning_rate:x0.01", "batch_norm")),
        Trouble("sorted, not shuffled", plain.replace(shuffle=False), unmixed, ("shuffle:on", "learning_rate:x0.1")),
        Trouble("200 training rows", wide, few, ("dropout:0.2", "decay:adamw", "stopping:early", "loss:smoothing")),
    ]


def lines(trouble: Trouble, seeds: Sequence[int]) -> list[str]:
    """Rows of the table: the recipe as it is, then each remedy."""
    check = kl.examine(trouble.recipe, trouble.data)
    found = remedies.of(trouble.recipe, trouble.data, trouble.remedies)
    recipes = [trouble.recipe, *(remedy(trouble.recipe) for remedy in found)]
    runs = kl.train_fleet(recipes, trouble.data, seeds=seeds, progress=False)
    scores = np.nan_to_num(np.array([run.score for run in runs])).reshape(len(recipes), len(seeds))
    called = check.cause or check.verdict
    head = f"| {trouble.data.title}: {trouble.name} | {called} | as it is | {scores[0].mean():.3f} | |"
    rest = [
        f"| | | `{remedy.name}` | {own.mean():.3f} | {gain(Effect.of(own, scores[0]))} |"
        for remedy, own in zip(found, scores[1:], strict=True)
    ]
    return [head, *rest]


def gain(effect: Effect) -> str:
    """A gain with its interval; bold where it is proved."""
    text = f"{effect.mean:+.3f} ({effect.low:+.3f} to {effect.high:+.3f})"
    return f"**{text}**" if effect.low > 0 else text


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test")
    quick = parser.parse_args(arguments).quick
    warnings.simplefilter("ignore", kl.DoubtWarning)
    print("| trouble | called | change | accuracy | gain |\n|---|---|---|--:|--:|")
    if quick:
        print(*lines(troubles(digits(), epochs=2)[3], seeds=(0, 1)), sep="\n")
        return
    for data, epochs in ((digits(), 20), (mnist(), 6)):
        for trouble in troubles(data, epochs):
            print(*lines(trouble, seeds=range(5)), sep="\n", flush=True)


if __name__ == "__main__":
    main()
