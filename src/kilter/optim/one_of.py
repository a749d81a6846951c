"""One of several optimizers, told by a number, so that nets with other optimizers share a program."""

from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.specs import number, part
from kilter.optim.optimizer import Optimizer, Tree, state_like

Slots = list[jax.Array]


class OneOf(Optimizer):
    """Runs the optimizer at a place, in arrays that hold the state of any of them.

    All are computed and one is chosen, number by number: that is one pass through the arrays, as for one of them.

    Args:
        options: optimizers that need one gradient an update.
        choice: place of the one that is run.
    """

    options: tuple[Optimizer, ...] = part(kinds=Optimizer, many=True)
    choice: float = number(default=0.0)

    def __init__(self, *options: Optimizer, choice: float = 0.0) -> None:
        self._fill({"options": options, "choice": choice})

    def init(self, params: Tree) -> Slots:
        return self._chosen([self.packed(place, each.init(params), params) for place, each in enumerate(self.options)])

    def update(self, grads: Tree, state: Slots, params: Tree, step: Any) -> tuple[Tree, Slots]:
        found = []
        for place, option in enumerate(self.options):
            new, own = option.update(grads, self.own(place, state, params), params, step)
            found.append((new, self.packed(place, own, params)))
        return self._chosen(found)

    def judged(self, state: Slots, loss: Any) -> Slots:
        return state

    def rate(self, step: Any) -> Any:
        return self._chosen([jnp.float32(option.rate(step)) for option in self.options])

    def over(self, steps: int) -> "OneOf":
        return OneOf(*(option.over(steps) for option in self.options), choice=self.choice)

    def own(self, place: int, slots: Any, params: Tree) -> Tree:
        """The state of the option at a place, out of the arrays."""
        leaves, tree = jax.tree.flatten(self._like(place, params))
        found = dict(zip(self._slots(params), slots, strict=True))
        return tree.unflatten([found[name] for name in _numbered(leaves)])

    def packed(self, place: int, state: Tree, params: Tree) -> Slots:
        """The way back; arrays that the option has no use for are zero."""
        leaves = jax.tree.leaves(state)
        found = dict(zip(_numbered(leaves), leaves, strict=True))
        return [found[name] if name in found else jnp.zeros(name[0], name[1]) for name in self._slots(params)]

    def _slots(self, params: Tree) -> list[Any]:
        """Shape, type and number of each array."""
        every = [_numbered(jax.tree.leaves(self._like(place, params))) for place in range(len(self.options))]
        return list(dict.fromkeys(name for names in every for name in names))

    def _like(self, place: int, params: Tree) -> Tree:
        return state_like(self.options[place], params)

    def _chosen(self, found: list[Any]) -> Any:
        return jax.tree.map(lambda *each: jax.lax.select_n(jnp.asarray(self.choice, jnp.int32), *each), *found)


def _numbered(leaves: list[Any]) -> list[Any]:
    """Shape and type of each leaf, and a count where these recur."""
    met: Counter[Any] = Counter()
    names = []
    for leaf in leaves:
        kind = (tuple(leaf.shape), jnp.dtype(leaf.dtype))
        names.append((*kind, met[kind]))
        met[kind] += 1
    return names
