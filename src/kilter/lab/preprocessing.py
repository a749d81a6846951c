"""What preprocessing does to features, and to learning from features on different scales."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import nn, optim
from kilter.data.builtin import digits
from kilter.data.dataset import Dataset, Part
from kilter.data.preprocess import Preprocess
from kilter.data.scaling import MeanImage, Standardize
from kilter.data.whitening import PCAWhitening, ZCAWhitening
from kilter.lab import words
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.learning import band, best_rate, courses, epoch_axis, seeds_of
from kilter.lab.shades import hue
from kilter.lab.sources import dataset
from kilter.losses import SoftmaxCrossEntropy
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe
from kilter.train.rows import Scaling

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
# Far below the default, a share of the mean variance: here the least variances are a millionth of it.
_EPSILON = 1e-9
_KINDS: dict[str, Preprocess | None] = {
    "raw": None,
    "centered": MeanImage(),
    "standardized": Standardize(),
    "PCA-whitened": PCAWhitening(_EPSILON),
    "ZCA-whitened": ZCAWhitening(_EPSILON),
}


@experiment
def preprocessing(
    *,
    rates: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 0.01, 0.1),
    units: int = 16,
    epochs: int = 30,
    seeds: int = 3,
    data: str = "wine",
) -> Told:
    """How well does a small network learn from features that are raw, centered, standardized or whitened?

    The curvature of the loss in the weights of the first layer follows the second moments of its inputs. Where features lie
    on very different scales, or all far from zero, no one learning rate fits all weights. Standardized features have mean 0
    and standard deviation 1; whitened ones are uncorrelated besides, along the principal components (PCA) or as near to the
    features themselves as they can be (ZCA).

    Args:
        rates: of SGD with momentum 0.9 that are tried; by kind the one with the lowest mean training loss at the end is
            shown.
        units: of the hidden layer, which is followed by ReLU.
        epochs: of training.
        seeds: how many, from 0 on.
        data: name of a shipped data set.

    Source:
        LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, section 4.3; Kessy, Lewin and Strimmer 2018, Optimal
        whitening and decorrelation.
    """
    at_least(1, units=units, epochs=epochs)
    words.some(rates=rates)
    rows = dataset(data, seed=0)
    made = {name: _prepared(kind, rows) for name, kind in _KINDS.items()}
    losses = {name: _losses(each, rates, units, epochs, seeds) for name, each in made.items()}
    best = {name: best_rate(each) for name, each in losses.items()}
    shown = {name: losses[name][place] for name, place in best.items()}
    table = [_row(name, made[name].train.x, rates[best[name]], shown[name]) for name in _KINDS]
    reached = ", ".join(f"{row['features']} {row['loss']:.2g} (rate {row['rate']:g})" for row in table)
    sentence = f"With the best of {len(rates)} rates, the training loss on {data} after {epochs} epochs is: {reached}."

    def draw(figure: "Figure") -> None:
        upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[5, 6])[:, 0]
        _scatter(upper, rows.train.x, rows.train.y)
        left, right = lower.subfigures(1, 2, squeeze=False, width_ratios=[5, 4])[0]
        axes = left.subplots()
        for place, (name, each) in enumerate(shown.items()):
            band(axes, each, color=hue(place), label=f"{name}, rate {rates[best[name]]:g}")
        axes.set(xlabel=epoch_axis(seeds), ylabel="training loss", yscale="log", title=f"learning {data}")
        axes.set_ylim(top=axes.get_ylim()[1] * 10)  # room for the legend
        axes.legend(frameon=False, fontsize=9, loc="upper right")
        _mean_image(right)

    return Told(table, sentence, draw, (12.0, 6.2))


def _prepared(kind: Preprocess | None, rows: Dataset) -> Dataset:
    """The rows preprocessed beforehand, so that all kinds train in one program."""
    scaling = Scaling.fit(kind, rows.train.x, rows.train.weights)

    def part(given: Part | None) -> Any:
        return None if given is None else replace(given, x=scaling.apply(given.x))

    return replace(rows, train=part(rows.train), validation=part(rows.validation), test=part(rows.test))


def _losses(rows: Dataset, rates: tuple[float, ...], units: int, epochs: int, seeds: int) -> Array:
    """Training losses ``(rates, seeds, epochs)``."""
    net = nn.Chain(nn.Dense(units), nn.ReLU(), nn.Dense(rows.classes))
    recipes = [Recipe(net, SoftmaxCrossEntropy(), optimizer=optim.SGD(lr, momentum=0.9), epochs=epochs) for lr in rates]
    runs = train_fleet(recipes, rows, seeds=seeds_of(seeds), progress=False)
    return courses(runs, "loss", epochs).reshape(len(rates), seeds, epochs)


def _row(name: str, x: Array, rate: float, losses: Array) -> Row:
    spread = x.std(0)
    return {
        "features": name,
        "largest_mean": float(np.abs(x.mean(0)).max()),
        "least_std": float(spread.min()),
        "largest_std": float(spread.max()),
        "largest_correlation": float(np.abs(_correlations(x)).max()),
        "rate": rate,
        "loss": float(losses[:, -1].mean()),
    }


def _correlations(x: Array) -> Array:
    """Between different features; 0 on the diagonal."""
    with np.errstate(invalid="ignore", divide="ignore"):  # constant features have none
        found = np.corrcoef(x, rowvar=False)
    return np.nan_to_num(found - np.eye(len(found)))


def _scatter(figure: Any, x: Array, y: Array) -> None:
    """The two features that are most correlated, after each kind of preprocessing fitted to these two alone."""
    first, second = sorted(np.unravel_index(np.abs(_correlations(x)).argmax(), (x.shape[1],) * 2))
    two = x[:, [first, second]]
    places = figure.subplots(1, len(_KINDS))
    for axes, (name, kind) in zip(places, _KINDS.items(), strict=True):
        seen = Scaling.fit(kind, two, None).apply(two)
        axes.scatter(*seen.T, c=[hue(each) for each in y], s=9, alpha=0.7, linewidths=0)
        axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
        axes.set(title=name, xlabel=f"feature {first}")
        axes.set_aspect("equal", adjustable="datalim")
    figure.suptitle("the two features that are most correlated; colors: classes", fontsize=11)
    places[0].set_ylabel(f"feature {second}")
    places[3].set_xlabel("component 0")
    places[3].set_ylabel("component 1")


def _mean_image(figure: Any) -> None:
    """The mean of all digits, one of them, and what is left of it."""
    x = digits(images=True, validation=0.0, test=0.0).train.x
    mean = MeanImage().fit(x)["offset"]
    shown = {"mean digit": mean, "a digit": x[0], "a digit - mean": x[0] - mean}
    for axes, (name, image) in zip(figure.subplots(1, 3), shown.items(), strict=True):
        axes.imshow(image[..., 0], cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set_title(name, fontsize=11)
        axes.axis("off")
