"""The contract of an augmentation: training rows changed at random in every step, inside the compiled program."""

from typing import Any, ClassVar, NamedTuple

import jax

from kilter.core.errors import InputError
from kilter.core.keys import named
from kilter.core.listed import Listed
from kilter.core.specs import part


class Mix(NamedTuple):
    """How targets are mixed: row i is ``share`` of itself and the rest of row ``partner[i]``."""

    partner: jax.Array
    share: jax.Array


class Augmentation(Listed, abstract=True):
    """Base of all augmentations, for ``Recipe(augment=...)``.

    They see preprocessed rows, so that 0 is the mean where inputs are standardized, and training rows alone.

    Class attributes:
        formula: what it does to a row.
        mixes: whether a row becomes other things beside other rows, as where two are mixed; what the others draw for the
            first rows of a batch does not depend on how many follow.
    """

    home: ClassVar[str] = "kl.data"
    mixes: ClassVar[bool] = False

    def apply(self, key: jax.Array, x: jax.Array) -> tuple[jax.Array, Mix | None]:
        """Changed rows of a batch ``(batch, *shape)``, and how to mix the targets, if at all."""
        raise NotImplementedError

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse examples of a shape that cannot be changed so."""


class Augmentations(Augmentation):
    """One augmentation after the other; at most one of them may mix rows.

    >>> from kilter import data
    >>> Augmentations(data.Flip(), data.Shift(4))
    kl.data.Augmentations(kl.data.Flip(), kl.data.Shift(4))
    """

    formula = "steps[-1](... steps[0](x))"
    source = "composition"
    choose = "Where one is not enough, as with flips and shifts of photographs."

    steps: tuple[Augmentation, ...] = part(kinds=Augmentation, many=True)

    def __init__(self, *steps: Augmentation) -> None:
        self._fill({"steps": steps})

    def apply(self, key: jax.Array, x: jax.Array) -> tuple[jax.Array, Mix | None]:
        mix = None
        for index, step in enumerate(self.steps):
            x, mixed = step.apply(named(key, f"{index} {type(step).__name__}"), x)
            if mix is not None and mixed is not None:
                raise InputError(f"{self!r}: two of these mix rows; keep one of them")
            mix = mix if mixed is None else mixed
        return x, mix

    def check(self, shape: tuple[int, ...]) -> None:
        for step in self.steps:
            step.check(shape)


def images(augmentation: Any, shape: tuple[int, ...]) -> None:
    """Refuse examples that are not images."""
    if len(shape) != 3:
        raise InputError(f"{augmentation!r}: needs images of shape (height, width, channels), got examples of {shape}")
