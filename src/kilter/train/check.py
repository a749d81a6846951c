"""Does the recipe fit the data? Refuses what cannot work before anything compiles, and warns of what is rarely meant."""

import json
import math
from collections.abc import Sequence

import jax

from kilter.core.doubts import warn
from kilter.core.drawn import Distribution
from kilter.core.errors import InputError, within
from kilter.core.kept import recalled
from kilter.core.paths import walk
from kilter.core.remembered import remembered
from kilter.data.dataset import Dataset
from kilter.metrics import Metric, default, for_task
from kilter.nn.activations import Activation
from kilter.nn.compose import last_layer
from kilter.nn.dropouts import ALL as DROPOUTS
from kilter.nn.layer import Layer, Shape, shapes
from kilter.optim.loss_scale import LossScale
from kilter.train.recipe import Recipe, structure


def check_all(recipes: Sequence[Recipe], data: Dataset) -> None:
    """Refuse recipes that cannot train on the data. Numbers decide nothing here, so one of each structure is enough."""
    alike = {structure(recipe) if isinstance(recipe, Recipe) else index: recipe for index, recipe in enumerate(recipes)}
    for recipe in alike.values():
        check(recipe, data)


def check(recipe: Recipe, data: Dataset) -> None:
    """Refuse a recipe that cannot train on the data.

    Raises:
        InputError: shapes, loss, metric or preprocessing do not fit; names the place and both sides.
    """
    if not isinstance(recipe, Recipe):
        raise InputError(f"a kl.Recipe is needed, got a {type(recipe).__name__}")
    if not isinstance(data, Dataset):
        raise InputError(f"data must be made by kl.data, such as kl.data.from_arrays(x, y); got {type(data).__name__}")
    _check_drawn(recipe)
    _check_outputs(recipe, data)
    _check_targets(recipe, data)
    _check_precision(recipe)
    if recipe.augment is not None:
        with within("augment"):
            recipe.augment.check(data.shape)
    _doubt_outputs(recipe)
    _doubt_objective(recipe, data.rows)


def deciding_metric(recipe: Recipe, data: Dataset) -> Metric:
    """The metric that decides on this data."""
    return recipe.metric or default(data.target.task)


def _check_drawn(recipe: Recipe) -> None:
    for path, value in walk(recipe):
        if isinstance(value, Distribution):
            raise InputError(
                f"{path}: {value!r} makes this recipe a search space: "
                "draw from it with kl.Space.of(recipe).draw(seed), or give it to kl.search"
            )


def _check_outputs(recipe: Recipe, data: Dataset) -> None:
    fitting = recipe.loss.outputs(data.train.y, data.classes)
    with within("net"):
        reached = _reached(recipe.net, data.shape)
    if reached in {(count,) for count in fitting}:
        return
    kind = f"{data.classes} classes" if data.classes else f"targets of {data.train.y.shape[1]} {data.target.task}"
    needs = " or ".join(map(str, fitting))
    if len(reached) != 1:
        raise InputError(
            f"net: turns examples of shape {data.shape} into {reached}, but {recipe.loss!r} on {kind} needs ({needs},); "
            "put nn.Flatten() before the last layer"
        )
    raise InputError(
        f"net: gives {reached[0]} outputs, but {recipe.loss!r} on {kind} needs {needs}; "
        f"make the last layer nn.Dense({fitting[0]})"
    )


@remembered(numbers=False)
def _reached(net: Layer, shape: Shape) -> Shape:
    """Shape of its outputs, asked for once; an earlier process may have traced the net."""
    told = recalled("reached", jax.tree.structure(net), (shape,), lambda: json.dumps(shapes(net, shape)[2]).encode())
    return tuple(json.loads(told))


def _check_targets(recipe: Recipe, data: Dataset) -> None:
    metric, task = deciding_metric(recipe, data), data.target.task
    if task not in metric.tasks:
        offered = ", ".join(f"{each!r}" for each in for_task(task))
        raise InputError(f"metric: {metric!r} is not for {task}; choose one of {offered}")
    if recipe.targets is not None and task != "numbers":
        raise InputError(f"targets: {recipe.targets!r} scales numbers, but the targets are {task}; leave it out")


def _check_precision(recipe: Recipe) -> None:
    if recipe.precision == "float16" and not any(isinstance(each, LossScale) for _, each in walk(recipe.optimizer)):
        raise InputError(
            f"precision='float16': gradients below 6e-8 vanish with {recipe.optimizer!r}; "
            "put optim.LossScale around it, or take precision='bfloat16'"
        )


def _doubt_outputs(recipe: Recipe) -> None:
    last = last_layer(recipe.net)
    if recipe.loss.takes != "logits" or not isinstance(last, Activation) or last.bounds == (-math.inf, math.inf):
        return
    warn(f"the net ends in {last!r}, but {recipe.loss!r} takes logits and squashes them itself: remove that last layer")


def _doubt_objective(recipe: Recipe, rows: int) -> None:
    """An optimizer that searches along the loss wants one that is the same in every update."""
    if recipe.optimizer.needs != "objective":
        return
    doubts = []
    if recipe.batch_size < rows:
        doubts.append(f"batch_size={recipe.batch_size} is less than the {rows} training rows: set it to {rows}")
    doubts += [f"the net has {layer!r}: leave it out" for _, layer in walk(recipe.net) if isinstance(layer, DROPOUTS)]
    if doubts:
        warn(f"{recipe.optimizer!r} needs a loss that stays the same from update to update, but {'; '.join(doubts)}")
