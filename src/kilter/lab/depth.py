"""How deep nets train, by the size of their first weights, as mean-field theory predicts it and as they do."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter import losses, nn, optim
from kilter.core.errors import InputError
from kilter.data.scaling import Standardize
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.mean_field import KINDS, depth_scale
from kilter.lab.repeated import Repeated
from kilter.lab.sources import dataset
from kilter.nn.layer import Layer
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
# Depth scales that a signal survives well enough to train on (Schoenholz et al. 2017, figure 5).
_SCALES = 6
# Accuracy on the training rows from which on a net counts as trained; chance is 0.1.
_TRAINED = 0.5
_TITLES = {
    "tanh": "tanh",
    "relu": "ReLU",
    "selu": "SELU",
    "batch_norm": "batch norm, ReLU",
    "residual": "residual, batch norm, ReLU",
}


@experiment
def depth(
    *,
    depths: tuple[int, ...] = (2, 4, 8, 16, 32),
    sigmas: tuple[float, ...] = (0.5, 0.7, 1.0, 1.35, 1.8, 2.5, 3.4),
    kinds: tuple[str, ...] = ("tanh", "relu", "selu", "batch_norm", "residual"),
    units: int = 64,
    rows: int = 128,
    epochs: int = 15,
    lr: float = 0.01,
    seed: int = 0,
) -> Told:
    """How deep can a net be and still train?

    With weights of variance sigma_w^2 / units and no biases, the mean square of a signal settles at q* = sigma_w^2
    E[f(sqrt(q*) z)^2], and that of gradients changes by chi = sigma_w^2 E[f'(sqrt(q*) z)^2] a layer. So gradients live for
    about xi = 1 / |ln chi| layers, endless where chi = 1, and nets train up to about 6 xi. (The paper takes the scale of
    correlations, which differs where signals do not vanish.) Shortcuts lift that border; batch norm alone does not, as
    gradients grow behind it whatever the weights.

    Args:
        depths: hidden layers.
        sigmas: sigma_w.
        kinds: of nets: ``"tanh"``, ``"relu"``, ``"selu"``, ``"batch_norm"`` with ReLU behind it, and ``"residual"`` with
            both in the branch.
        units: of each hidden layer.
        rows: digits to train on; accuracies are on these.
        epochs: of each training, in batches of 32.
        lr: learning rate of SGD with momentum 0.9.
        seed: of weights, rows and order.

    Source: Poole et al. 2016, section 2; Schoenholz, Gilmer, Ganguli and Sohl-Dickstein 2017, figure 5;
    batch norm: Yang et al. 2019.
    """
    at_least(2, depths=depths)
    at_least(1, units=units, rows=rows, epochs=epochs)
    at_least(0, sigmas=sigmas, lr=lr)
    if 0 in sigmas or lr == 0:
        raise InputError(f"sigmas and lr must be above 0, got {sigmas!r} and {lr:g}")
    if not kinds or any(each not in KINDS for each in kinds):
        raise InputError(f"kinds must be any of {', '.join(KINDS)}, got {kinds!r}")
    data = replace(dataset("digits", seed, rows, held=1), validation=None)
    recipes = [
        _recipe(_net(kind, sigma, each, units, max(depths)), epochs, lr)
        for kind in kinds
        for sigma in sigmas
        for each in depths
    ]
    runs = train_fleet(recipes, data, seeds=[seed], progress=False)
    ends = np.array([np.nan_to_num(run.metrics.get("accuracy", 0.0)) for run in runs])
    reached = dict(zip(kinds, ends.reshape(len(kinds), len(sigmas), len(depths)), strict=True))
    table = _table(depths, sigmas, reached)
    return Told(table, _said(table, kinds, max(depths)), partial(_draw, depths, sigmas, reached), (13, 4.2))


def _table(depths: tuple[int, ...], sigmas: tuple[float, ...], reached: dict[str, Array]) -> list[Row]:
    return [
        {
            "network": kind,
            "sigma": float(sigma),
            "depth": each,
            "accuracy": float(accuracy),
            "predicted_depth": float(_SCALES * scale),
        }
        for kind, seen in reached.items()
        for sigma, scale, own in zip(sigmas, depth_scale(kind, sigmas), seen, strict=True)
        for each, accuracy in zip(depths, own, strict=True)
    ]


def _recipe(net: nn.Chain, epochs: int, lr: float) -> Recipe:
    return Recipe(
        net,
        losses.SoftmaxCrossEntropy(),
        optimizer=optim.SGD(lr, momentum=0.9),
        batch_size=32,
        epochs=epochs,
        inputs=Standardize(),
    )


def _net(kind: str, sigma: float, depth: int, units: int, most: int) -> nn.Chain:
    own = nn.initializers.VarianceScaling(float(sigma) ** 2, fan="in", distribution="normal")
    dense, activation = nn.Dense(units, initializer=own), KINDS[kind]
    block: tuple[Layer, ...] = (dense, activation)
    if kind == "batch_norm":
        block = (dense, nn.BatchNorm(), activation)
    elif kind == "residual":
        block = (nn.Residual(nn.Chain(nn.BatchNorm(), activation, dense)),)
    return nn.Chain(dense, Repeated(nn.Chain(*block), most, depth - 1), nn.Dense(10))


def _said(table: list[Row], kinds: tuple[str, ...], deepest: int) -> str:
    right = [(row["accuracy"] >= _TRAINED) == (row["depth"] <= row["predicted_depth"]) for row in table]
    deep = {kind: [row for row in table if row["network"] == kind and row["depth"] == deepest] for kind in kinds}
    counts = ", ".join(
        f"{sum(row['accuracy'] >= _TRAINED for row in own)} of {len(own)} ({_TITLES[kind]})"
        for kind, own in deep.items()
    )
    return (
        f"Six depth scales foretell for {np.mean(right):.0%} of {len(table)} nets whether they train (accuracy "
        f"{_TRAINED:g} and more); at {deepest} layers so many first standard deviations train: {counts}."
    )


def _draw(depths: tuple[int, ...], sigmas: tuple[float, ...], reached: dict[str, Array], figure: "Figure") -> None:
    panels = figure.subplots(1, len(reached), sharey=True, squeeze=False)[0]
    meshes = [
        _draw_map(axes, kind, depths, sigmas, seen) for axes, (kind, seen) in zip(panels, reached.items(), strict=True)
    ]
    figure.colorbar(meshes[0], ax=panels, label="accuracy on the training rows")
    panels[0].set_ylabel("hidden layers")
    figure.suptitle(f"dashed: {_SCALES} depth scales by theory, up to which nets should train", fontsize=11)


def _draw_map(axes: "Axes", kind: str, depths: tuple[int, ...], sigmas: tuple[float, ...], seen: Array) -> Any:
    from matplotlib.patheffects import withStroke  # takes long to import

    order, deep = np.argsort(sigmas), np.argsort(depths)
    x, y = np.array(sigmas, float)[order], np.array(depths, float)[deep]
    mesh = axes.pcolormesh(_edges(x), _edges(y), seen[order][:, deep].T, cmap="viridis", vmin=0, vmax=1)
    fine = np.geomspace(_edges(x)[0], _edges(x)[-1], 100)
    border = np.minimum(_SCALES * depth_scale(kind, fine), 10 * max(depths))
    axes.plot(
        fine,
        border,
        color="white",
        linewidth=2,
        linestyle="--",
        path_effects=[withStroke(linewidth=4, foreground="black")],
    )
    if border.min() > max(depths):
        axes.text(0.5, 0.95, "no border by theory", ha="center", va="top", transform=axes.transAxes)
    axes.set_title(_TITLES[kind], fontsize=10)
    axes.set(xscale="log", yscale="log", ylim=_edges(y)[[0, -1]], xlim=_edges(x)[[0, -1]], xlabel="sigma_w")
    axes.set_xticks(x, [f"{each:g}" for each in x], fontsize=8)
    axes.set_yticks(y, [f"{each:g}" for each in y])
    axes.set_xticks([], minor=True)
    axes.set_yticks([], minor=True)
    return mesh


def _edges(values: Array) -> Array:
    """Borders of cells around the values, half way between them on a logarithmic scale."""
    if len(values) == 1:
        return values[0] * np.array([0.8, 1.25])
    logs = np.log(values)
    between = (logs[1:] + logs[:-1]) / 2
    return np.exp(np.concatenate([[2 * logs[0] - between[0]], between, [2 * logs[-1] - between[-1]]]))
