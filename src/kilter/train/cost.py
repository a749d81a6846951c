"""What a member of a fleet needs of the memory, known without drawing or running anything."""

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import jax
import numpy as np
from jax.extend.core import jaxprs_in_params

from kilter.core.kept import recalled
from kilter.core.paths import walk
from kilter.data.dataset import Dataset
from kilter.optim.optimizer import state_like
from kilter.train.recipe import Recipe
from kilter.train.step import BLOCK

# Bytes of Python's objects around an array, and around a run, as tracemalloc counts them.
_ARRAY, _RUN = 200, 4096
# An epoch adds four numbers to the history of the fleet, and to that of the run.
_EPOCH = 2 * 4 * 4


@dataclass(frozen=True)
class Cost:
    """Bytes of one member.

    Attributes:
        weights: parameters and state of the net.
        moments: state of the optimizer.
        best: copy of the weights of the best epoch; 0 without validation rows.
        gradient: as large as the parameters.
        activations: what one batch leaves behind for the gradient.
        judging: the two largest signals while a block of rows is judged.
        told: what it says of all rows, with the objects of its run.
        history: of all epochs.
        windowed: whether the net slides windows over its inputs, as convolutions do.
        arrays: that an update changes.
        products: multiplications of the products and convolutions of one row, forward.
    """

    weights: int
    moments: int
    best: int
    gradient: int
    activations: int
    judging: int = 0
    told: int = 0
    history: int = 0
    windowed: bool = False
    arrays: int = 0
    products: float = 0.0

    @property
    def kept(self) -> int:
        """Bytes from the first epoch to the last."""
        return self.weights + self.moments + self.best

    @property
    def update(self) -> int:
        """Bytes that one update goes through."""
        return self.weights + self.moments + self.gradient + self.activations

    @property
    def working(self) -> int:
        """Bytes beside these in an epoch: the member as it was before, for one that has ended stays so, and the rest."""
        return self.kept + max(self.gradient + self.activations, self.judging)

    @property
    def all(self) -> int:
        """Bytes on the device at the worst moment."""
        return self.kept + self.working

    def spread(self, ways: int, sharded: bool) -> "Cost":
        """On each of the devices that the batches are spread over, which may keep moments and best weights in shards."""
        shards = ways if sharded else 1
        return replace(
            self,
            moments=-(-self.moments // shards),
            best=-(-self.best // shards),
            activations=-(-self.activations // ways),
            judging=-(-self.judging // ways),
        )

    @property
    def host(self) -> int:
        """Bytes on the host at the end: the member, what it says of the rows and its run."""
        return self.kept + self.told + self.history


def cost_of(recipe: Recipe, data: Dataset) -> Cost:
    """The bytes of a member with this recipe, from the shapes of its arrays.

    Activations are the arrays that the chain rule keeps of one batch, from the outputs back to the parameters.
    """
    batch, judged = min(recipe.batch_size, data.rows), data.validation is not None
    rows = tuple(len(part) for part in data.parts.values())
    cost = _cost(jax.tree.structure(recipe), data.shape, batch, judged, rows, bool(data.classes))
    cost = replace(cost, history=_EPOCH * recipe.epochs)
    return cost if recipe.precision != "float64" else _doubled(cost)


def _doubled(cost: Cost) -> Cost:
    own = ("weights", "moments", "best", "gradient", "activations", "judging")
    return replace(cost, **{name: 2 * getattr(cost, name) for name in own})


@cache
def _cost(
    structure: Any, shape: tuple[int, ...], batch: int, judged: bool, rows: tuple[int, ...], classes: bool
) -> Cost:
    facts = (shape, batch, judged, rows, classes)
    told = recalled("cost", structure, facts, lambda: json.dumps(asdict(_traced(structure, *facts))).encode())
    return Cost(**json.loads(told))


def _traced(
    structure: Any, shape: tuple[int, ...], batch: int, judged: bool, rows: tuple[int, ...], classes: bool
) -> Cost:
    recipe = structure.unflatten([0.5] * structure.num_leaves)  # any numbers: they do not change a shape
    net, key = recipe.net, jax.eval_shape(jax.random.key, 0)
    params, state = jax.eval_shape(lambda key: net.init(key, shape), key)
    moments = state_like(recipe.optimizer, params)
    x = jax.ShapeDtypeStruct((batch, *shape), np.float32)

    def chain(params: Any, state: Any, x: Any, key: Any) -> Any:
        return jax.vjp(lambda params: net.apply(params, state, x, key=key)[0], params)[1]

    chained = jax.eval_shape(chain, params, state, x, key)
    weights = size((params, state))
    windowed = any(hasattr(value, "window") for _, value in walk(net))
    best = weights if judged else 0
    judging, told, products = _judged(recipe, (params, state), shape, rows, classes)
    own, kept = len(jax.tree.leaves((params, state))), len(jax.tree.leaves(moments))
    objects = _ARRAY * (own * (1 + judged) + kept) + _RUN
    return Cost(
        weights, size(moments), best, size(params), _without(chained, params),
        judging, told + objects, windowed=windowed, arrays=own + kept, products=products,
    )  # fmt: skip


def _judged(
    recipe: Recipe, weights: Any, shape: tuple[int, ...], rows: tuple[int, ...], classes: bool
) -> tuple[int, int, float]:
    """Bytes of the two largest signals of a block of rows and of what is said of all rows; multiplications of one row."""

    def signals(weights: Any, x: Any) -> Any:
        params, state = weights
        return recipe.net.apply(params, state, x)[0]

    block = jax.ShapeDtypeStruct((min(BLOCK, max(rows)), *shape), np.float32)
    traced = jax.make_jaxpr(signals)(weights, block).jaxpr
    largest = max((size([each.aval for each in step.outvars]) for step in traced.eqns), default=0)
    row = jax.eval_shape(signals, weights, jax.ShapeDtypeStruct((1, *shape), np.float32))
    read = jax.eval_shape(lambda row: (recipe.loss.read(row, classes), recipe.loss.noise(row)), row)
    told = sum(rows) * (size(read) + np.dtype(np.float32).itemsize)
    return 2 * largest, told, _multiplications(traced) / len(block)


def _multiplications(traced: Any) -> float:
    """Of all products and convolutions in a traced function; those in a loop as often as it goes around."""
    total = 0.0
    for step in traced.eqns:
        if step.primitive.name == "dot_general":
            ((summed, _), _), x = step.params["dimension_numbers"], step.invars[0].aval
            total += math.prod(step.outvars[0].aval.shape) * math.prod(x.shape[axis] for axis in summed)
        elif step.primitive.name == "conv_general_dilated":
            kernel, numbers = step.invars[1].aval, step.params["dimension_numbers"]
            total += math.prod(step.outvars[0].aval.shape) * math.prod(kernel.shape) / kernel.shape[numbers.rhs_spec[0]]
        total += step.params.get("length", 1) * sum(map(_multiplications, jaxprs_in_params(step.params)))
    return total


def _without(tree: Any, params: Any) -> int:
    """Bytes of a tree in which some of the parameters may stand too; these do not count again."""
    own = Counter((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(params))
    left = Counter((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(tree))
    left.subtract(own & left)
    return sum(count * math.prod(shape) * dtype.itemsize for (shape, dtype), count in left.items())


def row_bytes(data: Dataset) -> int:
    """Bytes of the training and validation rows on one device; of a stream those that are there at once."""
    parts = [part for part in (data.train, data.validation) if part is not None]
    held = sum(array.nbytes for part in parts for array in (part.x, part.y, part.weights) if array is not None)
    return held + data.passing


def scoring_bytes(data: Dataset) -> int:
    """Bytes that the metrics of one member take: predictions and shares of classes in float64, and the ranks of an AUC."""
    outputs = data.classes or data.train.y[0].size
    return max(map(len, data.parts.values())) * (2 * 8 * outputs + 8 * 8)


def size(tree: Any) -> int:
    """Bytes of the arrays of a tree, abstract ones too."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
