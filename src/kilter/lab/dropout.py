"""What dropout does to a net that has few examples, and in what it is an ensemble."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import losses, nn, optim
from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.learning import courses, draw_losses
from kilter.lab.shades import hue
from kilter.lab.sources import dataset
from kilter.metrics import LogLoss
from kilter.report.calibration import calibration_error, reliability
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
# Rows of a bin of confidence from which on it is drawn.
_FEWEST = 10


@dataclass(frozen=True)
class _Found:
    """Last losses and accuracies by rate; held-out probabilities by number of passes or nets; what they should be."""

    rates: tuple[float, ...]
    train: Array
    held: Array
    hidden: Array
    inputs: Array
    passes: dict[int, Array]
    nets: dict[int, Array]
    scaled: Array
    classes: Array

    @property
    def forms(self) -> dict[str, Array]:
        """What is compared by calibration."""
        most, many = max(self.passes), max(self.nets)
        return {
            "one net without dropout": self.nets[1],
            "one net with dropout": self.scaled,
            f"mean of {most} passes with dropout": self.passes[most],
            f"mean of {many} nets without dropout": self.nets[many],
        }


@experiment
def dropout(
    *,
    rates: tuple[float, ...] = (0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8),
    rate: float = 0.5,
    rows: int = 300,
    wrong: float = 0.2,
    units: int = 128,
    epochs: int = 60,
    lr: float = 0.002,
    nets: int = 8,
    passes: int = 64,
    seeds: int = 3,
) -> Told:
    """Does dropout keep a net with few examples from learning them by heart, and is it an ensemble?

    Each step trains another thinned net, so that units cannot rely on each other. Without dropout at the end the net
    stands, nearly, for the mean of all thinned nets; the mean of several passes with dropout (Monte-Carlo dropout) is
    that mean itself, but of nets that share their weights, which independent nets do not.

    Args:
        rates: probabilities to drop, each once for the hidden layers and once for the inputs.
        rate: of the hidden layers where dropout is compared with an ensemble.
        rows: digits to train on.
        wrong: share of them with a wrong class, which a net can only learn by heart; held-out rows have none, so that nets
            which expect as many wrong ones there are less sure than they are right.
        units: of each of two hidden layers, with ReLU.
        epochs: of each training.
        lr: learning rate of Adam.
        nets: most independent nets of an ensemble.
        passes: most passes with dropout.
        seeds: trainings of each rate.

    Source: Srivastava et al. 2014; passes: Gal and Ghahramani 2016; calibration: Guo et al. 2017, equation 3.
    """
    at_least(1, rows=rows, units=units, epochs=epochs, seeds=seeds)
    at_least(2, nets=nets, passes=passes)
    at_least(0, rates=rates, rate=rate, lr=lr)
    if max(*rates, rate) >= 1:
        raise InputError(f"rates and rate must be below 1, got {rates!r} and {rate:g}")
    data = dataset("digits", 0, rows, held=600, wrong=wrong)

    def recipe(hidden: float, inputs: float) -> Recipe:
        layers = [layer for _ in range(2) for layer in (nn.Dense(units), nn.ReLU(), nn.Dropout(hidden))]
        net = nn.Chain(nn.Dropout(inputs), *layers, nn.Dense(10))
        return Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(lr), batch_size=50, epochs=epochs)

    recipes = [recipe(each, 0.0) for each in rates] + [recipe(0.0, each) for each in rates]
    runs = train_fleet(recipes, data, seeds=range(seeds), progress=False)
    train, held, accuracy = (
        courses(runs, name, epochs).reshape(2, len(rates), seeds, epochs)
        for name in ("loss", "val_loss", "val_accuracy")
    )
    ends = accuracy[..., -1].mean(-1)
    final = replace(data, validation=None, test=data.validation)
    several = _compared(recipe, rate, final, nets, passes)
    found = _Found(rates, train[0].mean(1), held[0].mean(1), ends[0], ends[1], *several)
    return Told(_rows(found), _said(found, rate), partial(_draw, found, rate), (11, 8))


def _compared(
    recipe: Callable[[float, float], Recipe], rate: float, data: Dataset, nets: int, passes: int
) -> tuple[dict[int, Array], dict[int, Array], Array, Array]:
    """What nets say of the test rows after their last epoch: there are no validation rows that could choose another."""
    assert data.test is not None
    runs = train_fleet([recipe(0.0, 0.0), recipe(rate, 0.0)], data, seeds=range(nets), progress=False)
    single = np.array([run.predict_proba(data.test) for run in runs[:nets]])
    dropped = runs[nets]
    means = {count: dropped.predict(data.test, samples=count).mean for count in _counts(2, passes)}
    together = {count: single[:count].mean(0) for count in _counts(1, nets)}
    return means, together, dropped.predict_proba(data.test), data.test.y


def _counts(first: int, most: int) -> list[int]:
    """Powers of two, and the largest number."""
    return sorted({most, *(2**power for power in range(most.bit_length()) if first <= 2**power <= most)})


def _loss(probabilities: Array, classes: Array) -> float:
    return float(LogLoss()(probabilities, classes, np.ones(len(classes))))


def _rows(found: _Found) -> list[Row]:
    by_rate: list[Row] = [
        {
            "setting": f"rate {rate:g}",
            "accuracy": float(found.hidden[place]),
            "accuracy_on_inputs": float(found.inputs[place]),
            "loss": float(found.held[place, -1]),
            "train_loss": float(found.train[place, -1]),
        }
        for place, rate in enumerate(found.rates)
    ]
    several = [(f"{count} passes", told) for count, told in found.passes.items()]
    several += [("one pass without dropout", found.scaled)]
    several += [(f"{count} nets", told) for count, told in found.nets.items()]
    return by_rate + [
        {
            "setting": name,
            "accuracy": float(np.mean(told.argmax(-1) == found.classes)),
            "loss": _loss(told, found.classes),
            "calibration_error": calibration_error(told, found.classes),
        }
        for name, told in several
    ]


def _said(found: _Found, rate: float) -> str:
    best, none = int(found.hidden.argmax()), int(np.argmin(found.rates))
    losses_of = {name: _loss(told, found.classes) for name, told in found.forms.items()}
    errors = {name: calibration_error(told, found.classes) for name, told in found.forms.items()}
    compared = "; ".join(f"{name}: {losses_of[name]:.3f} and {errors[name]:.3f}" for name in found.forms)
    return (
        f"Held-out accuracy is {found.hidden[none]:.3f} at rate {found.rates[none]:g} and highest, "
        f"{found.hidden[best]:.3f}, at rate {found.rates[best]:g}, on the inputs {found.inputs.max():.3f} at "
        f"{found.rates[int(found.inputs.argmax())]:g}. Held-out loss and calibration error: {compared} (rate {rate:g})."
    )


def _draw(found: _Found, rate: float, figure: "Figure") -> None:
    (courses, by_rate), (together, calibrated) = figure.subplots(2, 2)
    draw_losses(courses, [f"rate {each:g}" for each in found.rates], found.train, found.held)
    courses.legend(frameon=False)
    for place, (label, own) in enumerate({"hidden layers": found.hidden, "inputs": found.inputs}.items()):
        by_rate.plot(found.rates, own, color=hue(place), marker="o", label=f"dropout on {label}", linewidth=1.8)
    by_rate.set(xlabel="rate", ylabel="accuracy on held-out digits")
    by_rate.legend(frameon=False)
    several = {f"passes, rate {rate:g}": found.passes, "nets without dropout": found.nets}
    for place, (label, told) in enumerate(several.items()):
        own = [_loss(each, found.classes) for each in told.values()]
        together.plot(list(told), own, color=hue(place), marker="o", label=label, linewidth=1.8)
    scaled = _loss(found.scaled, found.classes)
    together.axhline(scaled, color=hue(0), linestyle=":", label=f"one pass, dropout off, rate {rate:g}")
    together.set_xscale("log", base=2)
    counts = sorted({*found.passes, *found.nets})
    together.set_xticks(counts, map(str, counts))
    together.set(xlabel="passes or nets in the mean", ylabel="held-out loss, nats")
    together.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1))
    _draw_calibration(found, calibrated)


def _draw_calibration(found: _Found, axes: "Axes") -> None:
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    for place, (name, told) in enumerate(found.forms.items()):
        share, confidence, accuracy = reliability(told, found.classes)
        filled = share * len(told) >= _FEWEST
        label = f"{name}: error {calibration_error(told, found.classes):.3f}"
        axes.plot(confidence[filled], accuracy[filled], color=hue(place), marker="o", markersize=4, label=label)
    axes.set(xlabel="confidence", ylabel="accuracy at this confidence", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1))
