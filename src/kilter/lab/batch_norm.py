"""What batch norm does for weights of any size and for the surface of the loss, and what it asks of batches."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kilter.core.errors import InputError
from kilter.lab import loss_surface, norm_batches, norm_scales
from kilter.lab.checks import at_least
from kilter.lab.experiment import Told, experiment
from kilter.lab.loss_surface import Surface
from kilter.lab.norm_batches import Batches
from kilter.lab.norm_scales import FORMS
from kilter.lab.sources import dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
# Accuracy from which on a net counts as trained.
_TRAINED = 0.8


@experiment
def batch_norm(
    *,
    scales: tuple[float, ...] = tuple(float(f"{each:.2g}") for each in np.geomspace(1, 1e-4, 16)),
    batch_sizes: tuple[int, ...] = (2, 16, 256),
    depth: int = 5,
    units: int = 64,
    rows: int = 600,
    epochs: int = 15,
    lr: float = 0.05,
    updates: int = 80,
    seeds: int = 3,
    seed: int = 0,
) -> Told:
    """Does batch norm make training independent of the size of the first weights, and what does it ask of batches?

    A batch norm behind a layer takes the size of its weights off again, as BN(a W x) = BN(W x), so that signals neither
    vanish nor explode whatever their first standard deviation. The loss along the gradient then varies less too, so that
    the gradient can be trusted for longer steps. The mean of B examples is off by 1 / sqrt(B) standard deviations: small
    batches blur what batch norm passes on, and at inference moving averages take the place of statistics that were very
    different. Layer norm takes its statistics within an example, which no other example can blur.

    Args:
        scales: standard deviations of the first weights, of all layers.
        batch_sizes: examples an update, of nets of two hidden layers at matched (He) weights.
        depth: hidden layers of the other nets, with ReLU.
        units: of a hidden layer.
        rows: digits to train on.
        epochs: of each training.
        lr: learning rate of plain SGD in batches of 50.
        updates: of the trainings along which the surface is looked at, at matched (He) weights.
        seeds: trainings of each batch size.
        seed: of weights, split and order of all others.

    Source: Ioffe and Szegedy 2015; the surface: Santurkar, Tsipras, Ilyas and Madry 2018, figure 4; layer norm: Ba, Kiros
    and Hinton 2016; small batches: Wu and He 2018, figure 1.
    """
    at_least(1, depth=depth, units=units, rows=rows, epochs=epochs, updates=updates, seeds=seeds)
    at_least(2, batch_sizes=batch_sizes)
    at_least(0, scales=scales, lr=lr)
    if 0 in scales or lr == 0:
        raise InputError(f"scales and lr must be above 0, got {scales!r} and {lr:g}")
    if max(batch_sizes) > rows:
        raise InputError(f"batch_sizes must be at most rows, {rows}, got {batch_sizes!r}")
    data = dataset("digits", seed, rows, held=500)
    nets = {form: norm_scales.net(depth, units, normed) for form, normed in FORMS.items()}
    seen = norm_scales.trained(list(nets.values()), scales, data, epochs, lr, seed)
    surfaces = {form: loss_surface.surface(net, data.train, lr, updates, seed) for form, net in nets.items()}
    batches = norm_batches.in_batches(batch_sizes, units, data, epochs, seeds)
    table = norm_scales.table(scales, seen) + loss_surface.table(surfaces) + norm_batches.table(batches)
    return Told(
        table, _said(seen[:, :, -1], surfaces, batches), partial(_draw, scales, seen, surfaces, batches), (11.5, 9.5)
    )


def _said(reached: Array, surfaces: dict[str, Surface], batches: Batches) -> str:
    plain, normed = (int((each >= _TRAINED).sum()) for each in reached)
    without, with_norm = (float(np.mean(high - low)) for low, high in surfaces.values())
    return (
        f"Of {reached.shape[1]} first standard deviations {normed} train with batch norm and {plain} without it "
        f"(accuracy {_TRAINED:g} and more, best {np.nan_to_num(reached).max():.3f}); along the gradient the loss varies by "
        f"{with_norm:.2g} with it and by {without:.2g} without, in the mean over the updates; {norm_batches.said(batches)}."
    )


def _draw(
    scales: tuple[float, ...], seen: Array, surfaces: dict[str, Surface], batches: Batches, figure: "Figure"
) -> None:
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[5.6, 3.4])[:, 0]
    left, right = upper.subfigures(1, 2, squeeze=False, width_ratios=[1.7, 1])[0]
    norm_scales.draw_grid(left, scales, seen)
    loss_surface.draw_surfaces(right.subplots(), surfaces)
    accuracies, distances = lower.subplots(1, 2)
    norm_batches.draw_accuracies(accuracies, batches)
    norm_batches.draw_distances(distances, batches)
