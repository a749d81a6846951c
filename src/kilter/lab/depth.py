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
# Expectations over a standard normal, by Gauss-Hermite quadrature.
_POINTS, _WEIGHTS = np.polynomial.hermite_e.hermegauss(101)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

# sigma_w that keeps the mean square of a signal, by what a net is made of.
_MATCHED = {
    "tanh": float((_WEIGHTS @ np.tanh(_POINTS) ** 2) ** -0.5),
    "relu": 2**0.5,
    "selu": 1.0,
    "batch_norm": 2**0.5,
    "residual": 2**0.5,
}


@experiment
def depth(
    *,
    depths: tuple[int, ...] = (2, 4, 8, 12, 18, 27, 40),
    sigmas: tuple[float, ...] = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.8, 2.2, 2.8, 3.5),
    kinds: tuple[str, ...] = ("tanh", "relu", "selu", "batch_norm", "residual"),
    units: int = 64,
    rows: int = 256,
    epochs: int = 15,
    lr: float = 0.01,
    seed: int = 0,
) -> Told:
    """How deep can a net be and still train?

    With weights of variance sigma_w^2 / units, tanh and no biases, the mean square of a signal settles at q* =
    sigma_w^2 E[tanh(sqrt(q*) z)^2], and gradients change by chi = sigma_w^2 E[tanh'(sqrt(q*) z)^2] a layer. So both live
    for about xi = 1 / |ln chi| layers, endless at sigma_w = 1, and nets train up to about 6 xi. (The paper takes the scale
    of correlations, which differs above sigma_w = 1.) Shortcuts lift that border; batch norm alone does not, as gradients
    grow behind it.

    Args:
        depths: hidden layers.
        sigmas: sigma_w of the tanh nets.
        kinds: nets with matched weights: ``"tanh"``, ``"relu"``, ``"selu"``, ``"batch_norm"`` with ReLU behind it, and
            ``"residual"`` with both in the branch.
        units: of each hidden layer.
        rows: digits to train on; accuracies are on these.
        epochs: of each training, in batches of 64.
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
    if unknown := [each for each in kinds if each not in _MATCHED]:
        raise InputError(f"kinds must be any of {', '.join(_MATCHED)}, got {unknown[0]!r}")
    data = replace(dataset("digits", seed, rows, held=1), validation=None)
    settings = [("tanh", sigma) for sigma in sigmas] + [(kind, _MATCHED[kind]) for kind in kinds]
    recipes = [
        Recipe(
            _net(name, sigma, each, units, max(depths)),
            losses.SoftmaxCrossEntropy(),
            optimizer=optim.SGD(lr, momentum=0.9),
            batch_size=64,
            epochs=epochs,
            inputs=Standardize(),
        )
        for name, sigma in settings
        for each in depths
    ]
    runs = train_fleet(recipes, data, seeds=[seed], progress=False)
    reached = np.array([np.nan_to_num(run.metrics.get("accuracy", 0.0)) for run in runs]).reshape(-1, len(depths))
    rows_of_table: list[Row] = [
        {
            "network": name,
            "sigma": float(sigma),
            "depth": each,
            "accuracy": float(reached[place, index]),
            "predicted_depth": _SCALES * depth_scale(sigma) if place < len(sigmas) else np.nan,
        }
        for place, (name, sigma) in enumerate(settings)
        for index, each in enumerate(depths)
    ]
    seen, by_kind = reached[: len(sigmas)], dict(zip(kinds, reached[len(sigmas) :], strict=True))
    sentence = _said(rows_of_table[: seen.size], by_kind, depths)
    return Told(rows_of_table, sentence, partial(_draw, depths, sigmas, seen, by_kind), (12, 4.8))


def depth_scale(sigma: float) -> float:
    """Layers over which gradients of a wide tanh net change by a factor of e: 1 / |ln chi|."""
    square = 1.0
    for _ in range(2000):
        square = sigma**2 * float(_WEIGHTS @ np.tanh(np.sqrt(square) * _POINTS) ** 2)
    chi = sigma**2 * float(_WEIGHTS @ np.cosh(np.sqrt(square) * _POINTS) ** -4)
    return 1 / max(abs(np.log(chi)), 1e-9)


def _net(name: str, sigma: float, depth: int, units: int, most: int) -> nn.Chain:
    own = nn.initializers.VarianceScaling(float(sigma) ** 2, fan="in", distribution="normal")
    dense = nn.Dense(units, initializer=own)
    block: tuple[Layer, ...] = {
        "tanh": (dense, nn.Tanh()),
        "relu": (dense, nn.ReLU()),
        "selu": (dense, nn.SELU()),
        "batch_norm": (dense, nn.BatchNorm(), nn.ReLU()),
        "residual": (nn.Residual(nn.Chain(nn.BatchNorm(), nn.ReLU(), dense)),),
    }[name]
    return nn.Chain(dense, Repeated(nn.Chain(*block), most, depth - 1), nn.Dense(10))


def _said(tanh: list[Row], by_kind: dict[str, Array], depths: tuple[int, ...]) -> str:
    right = [(row["accuracy"] >= _TRAINED) == (row["depth"] <= row["predicted_depth"]) for row in tanh]
    deepest = max((row for row in tanh if row["accuracy"] >= _TRAINED), key=lambda row: row["depth"], default=None)
    ends = ", ".join(f"{name} {own[int(np.argmax(depths))]:.2f}" for name, own in by_kind.items())
    others = f", and at {max(depths)} layers with matched weights the accuracies are: {ends}" if by_kind else ""
    trained = "no tanh net trains" if deepest is None else f"tanh nets train up to {deepest['depth']} layers"
    return (
        f"Six depth scales tell for {np.mean(right):.0%} of {len(tanh)} tanh nets whether they train (accuracy "
        f"{_TRAINED:g} and more); {trained}{others}."
    )


def _draw(
    depths: tuple[int, ...], sigmas: tuple[float, ...], seen: Array, by_kind: dict[str, Array], figure: "Figure"
) -> None:
    left, right = figure.subplots(1, 2)
    _draw_map(depths, sigmas, seen, left)
    for place, (name, own) in enumerate(by_kind.items()):
        right.plot(depths, own, color=f"C{place}", marker="o", label=name.replace("_", " "), linewidth=1.8)
    right.set(xscale="log", xlabel="hidden layers", ylabel="accuracy on the training rows", ylim=(0, 1.03))
    right.set_xticks(depths, map(str, depths))
    right.set_xticks([], minor=True)
    right.legend(frameon=False, title="matched weights", loc="lower left")


def _draw_map(depths: tuple[int, ...], sigmas: tuple[float, ...], seen: Array, axes: "Axes") -> None:
    order, deep = np.argsort(sigmas), np.argsort(depths)
    x, y = np.array(sigmas, float)[order], np.array(depths, float)[deep]
    mesh = axes.pcolormesh(_edges(x), _edges(y), seen[order][:, deep].T, cmap="viridis", vmin=0, vmax=1)
    axes.figure.colorbar(mesh, ax=axes, label="accuracy on the training rows")
    fine = np.geomspace(_edges(x)[0], _edges(x)[-1], 100)
    scales = np.array([depth_scale(each) for each in fine])
    axes.plot(fine, _SCALES * scales, color="white", linewidth=2, linestyle="--")
    axes.set_title(f"dashed: {_SCALES} depth scales by theory", fontsize=10)
    axes.set(xscale="log", yscale="log", ylim=_edges(y)[[0, -1]], xlim=_edges(x)[[0, -1]])
    axes.set(xlabel="sigma_w of tanh nets", ylabel="hidden layers")
    axes.set_xticks(x, [f"{each:g}" for each in x], fontsize=8)
    axes.set_yticks(y, [f"{each:g}" for each in y])
    axes.set_xticks([], minor=True)
    axes.set_yticks([], minor=True)


def _edges(values: Array) -> Array:
    """Borders of cells around the values, half way between them on a logarithmic scale."""
    if len(values) == 1:
        return values[0] * np.array([0.8, 1.25])
    logs = np.log(values)
    between = (logs[1:] + logs[:-1]) / 2
    return np.exp(np.concatenate([[2 * logs[0] - between[0]], between, [2 * logs[-1] - between[-1]]]))
