"""What batch norm does for weights of any size, and for the surface of the loss."""

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter import losses, nn, optim
from kilter.core.errors import InputError
from kilter.data.dataset import Part
from kilter.lab.checks import at_least
from kilter.lab.experiment import Row, Told, experiment
from kilter.lab.learning import courses
from kilter.lab.sources import dataset
from kilter.train.launch import train_fleet
from kilter.train.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
_FORMS = {"plain": False, "batch norm": True}
# Accuracy from which on a net counts as trained.
_TRAINED = 0.8
# Along the gradient: lengths of the looked-at steps, in units of that which is taken (Santurkar et al. take up to 4 times).
_STEPS = np.geomspace(0.5, 4, 6)


@experiment
def batch_norm(
    *,
    scales: tuple[float, ...] = tuple(float(f"{each:.2g}") for each in np.geomspace(1, 1e-4, 16)),
    depth: int = 5,
    units: int = 64,
    rows: int = 600,
    epochs: int = 15,
    lr: float = 0.05,
    updates: int = 80,
    seed: int = 0,
) -> Told:
    """Does batch norm make training independent of the size of the first weights, and the loss smoother?

    A batch norm behind a layer takes the size of its weights off again, as BN(a W x) = BN(W x), so that signals neither
    vanish nor explode whatever their first standard deviation. The loss along the gradient then varies less too, so that
    the gradient can be trusted for longer steps.

    Args:
        scales: standard deviations of the first weights, of all layers.
        depth: hidden layers, with ReLU.
        units: of a hidden layer.
        rows: digits to train on.
        epochs: of each training.
        lr: learning rate of plain SGD.
        updates: of the trainings along which the surface is looked at, at matched (He) weights.
        seed: of weights, split and order.

    Source: Ioffe and Szegedy 2015; the surface: Santurkar, Tsipras, Ilyas and Madry 2018, figure 4.
    """
    at_least(1, depth=depth, units=units, rows=rows, epochs=epochs, updates=updates)
    at_least(0, scales=scales, lr=lr)
    if 0 in scales or lr == 0:
        raise InputError(f"scales and lr must be above 0, got {scales!r} and {lr:g}")
    data = dataset("digits", seed, rows, held=500)
    nets = {form: _net(depth, units, normed) for form, normed in _FORMS.items()}
    recipes = [
        Recipe(_scaled(net, scale), losses.SoftmaxCrossEntropy(), optimizer=optim.SGD(lr), batch_size=50, epochs=epochs)
        for net in nets.values()
        for scale in scales
    ]
    runs = train_fleet(recipes, data, seeds=[seed], progress=False)
    seen = courses(runs, "val_accuracy", epochs).reshape(2, len(scales), epochs)
    surface = {form: _surface(net, data.train, lr, updates, seed) for form, net in nets.items()}
    rows_of_table: list[Row] = [
        {"network": form, "scale": scale, "accuracy": float(seen[place, index, -1])}
        for place, form in enumerate(nets)
        for index, scale in enumerate(scales)
    ]
    rows_of_table += [
        {"network": form, "update": update, "lowest": float(low), "highest": float(high)}
        for form, (low, high) in surface.items()
        for update, (low, high) in enumerate(zip(low, high, strict=True))
    ]
    sentence = _said(seen[:, :, -1], surface)
    return Told(rows_of_table, sentence, partial(_draw, scales, seen, surface), (11.5, 6))


def _net(depth: int, units: int, normed: bool) -> nn.Chain:
    norm = (nn.BatchNorm(),) if normed else ()
    return nn.Chain(*[layer for _ in range(depth) for layer in (nn.Dense(units), *norm, nn.ReLU())], nn.Dense(10))


def _scaled(net: nn.Chain, scale: float) -> nn.Chain:
    """With weights of one standard deviation, in whatever layer."""
    own = nn.initializers.Normal(scale)
    return nn.Chain(*(each.replace(initializer=own) if isinstance(each, nn.Dense) else each for each in net.layers))


def _surface(net: nn.Chain, rows: Part, lr: float, updates: int, seed: int) -> tuple[Array, Array]:
    """Lowest and highest loss along the gradient at each update of gradient descent on all rows."""
    key, x, y = jax.random.key(seed), jnp.asarray(rows.x), jnp.asarray(rows.y)

    def loss(params: Any, state: Any) -> jax.Array:
        return losses.SoftmaxCrossEntropy()(net.apply(params, state, x, key=key)[0], y).mean()

    @jax.jit
    def walk() -> tuple[jax.Array, jax.Array]:
        params, state = net.init(key, x.shape[1:])

        def update(params: Any, _: Any) -> tuple[Any, tuple[jax.Array, jax.Array]]:
            gradient = jax.grad(loss)(params, state)
            moved = jax.lax.map(lambda step: loss(_moved(params, gradient, lr * step), state), jnp.asarray(_STEPS))
            return _moved(params, gradient, lr), (moved.min(), moved.max())

        return jax.lax.scan(update, params, length=updates)[1]

    low, high = walk()
    return np.asarray(low), np.asarray(high)


def _moved(params: Any, gradient: Any, step: Any) -> Any:
    return jax.tree.map(lambda p, g: p - step * g, params, gradient)


def _said(reached: Array, surface: dict[str, tuple[Array, Array]]) -> str:
    plain, normed = (int((each >= _TRAINED).sum()) for each in reached)
    without, with_norm = (float(np.mean(high - low)) for low, high in surface.values())
    return (
        f"Of {reached.shape[1]} first standard deviations {normed} train with batch norm and {plain} without it "
        f"(accuracy {_TRAINED:g} and more, best {np.nan_to_num(reached).max():.3f}); along the gradient the loss varies by "
        f"{with_norm:.2g} with it and by {without:.2g} without, in the mean over the updates."
    )


def _draw(scales: tuple[float, ...], seen: Array, surface: dict[str, tuple[Array, Array]], figure: "Figure") -> None:
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.7, 1])[0]
    side = int(np.ceil(np.sqrt(len(scales))))
    panels = left.subplots(-(-len(scales) // side), side, sharex=True, sharey=True, squeeze=False)
    epochs = np.arange(1, seen.shape[-1] + 1)
    for index, axes in enumerate(panels.flat):
        if index >= len(scales):
            axes.set_axis_off()
            continue
        for place, form in enumerate(_FORMS):
            axes.plot(epochs, seen[place, index], color=f"C{place}", label=form, linewidth=1.8)
            if np.isnan(seen[place, index, -1]):
                axes.text(0.96, 0.06, f"{form}: diverged", color=f"C{place}", ha="right", transform=axes.transAxes)
        axes.set_title(f"std {scales[index]:g}", fontsize=9)
        axes.set(ylim=(0, 1.02))
    left.supxlabel("epoch", fontsize=10)
    left.supylabel("accuracy on held-out digits", fontsize=10)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    left.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize=10)
    axes = right.subplots()
    for place, (form, (low, high)) in enumerate(surface.items()):
        axes.fill_between(np.arange(len(low)), low, high, color=f"C{place}", alpha=0.5, linewidth=0, label=form)
    axes.set(yscale="log", xlabel="update", ylabel="loss along the gradient, lowest to highest")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_title(f"steps {_STEPS[0]:g} to {_STEPS[-1]:g} times lr, He weights", fontsize=10)
    axes.legend(frameon=False)
