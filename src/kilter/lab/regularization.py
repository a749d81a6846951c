"""What weight decay does to the fit, to new examples and to the weights."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import losses, optim
from kilter.core.errors import InputError
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.learning import courses, draw_losses, relu_net, seeds_of
from kilter.lab.shades import hue, shades
from kilter.lab.sources import dataset
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe
from kilter.train.run import Run
from kilter.vitals.watch import Watch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]


@experiment
def regularization(
    *,
    strengths: tuple[float, ...] = (1e-4, 1e-3, 3e-3, 0.01, 0.02, 0.04, 0.08, 0.16),
    rows: int = 300,
    wrong: float = 0.2,
    units: int = 128,
    epochs: int = 60,
    lr: float = 0.05,
    seeds: int = 3,
) -> Told:
    """How strong should weight decay be?

    The penalty strength / 2 |w|^2 pulls every weight towards zero by lr strength w a step, so that only those stay large
    that the examples keep asking for. Too weak, the net learns what is particular to its examples; too strong, it cannot
    learn what they have in common.

    Args:
        strengths: of the penalty on all kernels.
        rows: digits to train on.
        wrong: share of them with a wrong class, which a net can only learn by heart.
        units: of each of two hidden layers, with ReLU.
        epochs: of each training.
        lr: learning rate of SGD with momentum 0.9.
        seeds: trainings of each strength.

    Source: Krogh and Hertz 1992, A simple weight decay can improve generalization.
    """
    at_least(1, rows=rows, units=units, epochs=epochs, seeds=seeds)
    at_least(0, strengths=strengths, lr=lr)
    if 0 in strengths:
        raise InputError(f"strengths must be above 0, as they are drawn on a logarithmic scale, got {strengths!r}")
    data = dataset("digits", 0, rows, held=600, wrong=wrong)
    recipe = Recipe(
        relu_net(units, 2, data.classes),
        losses.SoftmaxCrossEntropy(),
        optimizer=optim.SGD(lr, momentum=0.9),
        batch_size=50,
        epochs=epochs,
        penalty=losses.L2(1.0),
    )
    recipes = [recipe.put("penalty.strength", strength) for strength in strengths]
    watch = Watch(what="run", every=max(1, epochs // 20))
    runs = train_fleet(recipes, data, seeds=seeds_of(seeds), watch=watch, progress=False)
    seen = {
        name: courses(runs, name, epochs).reshape(len(strengths), seeds, epochs).mean(1)
        for name in ("loss", "val_loss", "val_accuracy")
    }
    norms = [_norms(runs[start : start + seeds]) for start in range(0, len(runs), seeds)]
    table = _table(strengths, seen, norms)
    return Told(table, _said(table), partial(_draw, table, seen, norms), (11, 10))


def _table(strengths: tuple[float, ...], seen: dict[str, Array], norms: list[tuple[Array, Array]]) -> list[Row]:
    return [
        {
            "strength": strength,
            "train_loss": float(seen["loss"][place, -1]),
            "loss": float(seen["val_loss"][place, -1]),
            "accuracy": float(seen["val_accuracy"][place, -1]),
            "norm": float(norms[place][1][-1]),
        }
        for place, strength in enumerate(strengths)
    ]


def _norms(runs: list[Run]) -> tuple[Array, Array]:
    """Epochs, and the norm of all kernels there by the penalty strength / 2 |w|^2, mean over the seeds."""
    strength = runs[0].recipe.at("penalty.strength")
    traces = [run.vitals for run in runs if run.vitals is not None]
    return traces[0].epochs, np.mean([np.sqrt(2 * trace.whole.penalty / strength) for trace in traces], 0)


def _said(rows: list[Row]) -> str:
    best = max(rows, key=lambda row: np.nan_to_num(row["accuracy"]))
    weakest = min(rows, key=lambda row: row["strength"])
    return (
        f"Held-out accuracy is highest, {best['accuracy']:.3f}, at a strength of {best['strength']:g}, against "
        f"{weakest['accuracy']:.3f} at {weakest['strength']:g}; the training loss is {best['train_loss']:.2g} against "
        f"{weakest['train_loss']:.2g}, the norm of the weights {best['norm']:.3g} against {weakest['norm']:.3g}."
    )


def _draw(rows: list[Row], seen: dict[str, Array], norms: list[tuple[Array, Array]], figure: "Figure") -> None:
    places = figure.subplot_mosaic([["losses", "losses"], ["learned", "weights"], ["ends", "accuracy"]])
    strengths = [row["strength"] for row in rows]
    draw_losses(places["losses"], [f"strength {each:g}" for each in strengths], seen["loss"], seen["val_loss"])
    places["losses"].legend(frameon=False, loc="lower left")
    epochs = np.arange(1, seen["loss"].shape[-1] + 1)
    for place, color in enumerate(shades(len(rows))):
        label = f"{strengths[place]:g}"
        places["learned"].plot(epochs, seen["val_accuracy"][place], color=color, label=label, linewidth=1.6)
        places["weights"].plot(*norms[place], color=color, linewidth=1.6)
    places["learned"].set(xlabel="epoch", ylabel="held-out accuracy", ylim=(0, 1))
    places["learned"].legend(
        frameon=False, title="strength", fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.12)
    )
    places["weights"].set(xlabel="epoch", ylabel="norm of all kernels")
    for place, (name, label) in enumerate({"train_loss": "training", "loss": "held-out"}.items()):
        places["ends"].plot(strengths, [row[name] for row in rows], color=hue(place), marker="o", label=label)
    places["ends"].set(xscale="log", xlabel="strength", ylabel="last loss, nats")
    places["ends"].legend(frameon=False)
    places["accuracy"].plot(strengths, [row["accuracy"] for row in rows], color=hue(1), marker="o")
    places["accuracy"].set(xscale="log", xlabel="strength", ylabel="last held-out accuracy", ylim=(0, 1))
