"""Penalties on the size of the weights, added to the loss while training."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core import trees
from kilter.core.listed import Listed
from kilter.core.specs import number, option


class Penalty(Listed, abstract=True):
    """Base of all penalties: a sum over the kernels of a network, for ``Recipe(penalty=...)``.

    It pulls on the gradients alone: losses in the history are without it, so that those of training and validation can be
    compared. Adaptive optimizers divide it by the size of the gradients like everything else, so with them decoupled
    ``weight_decay`` is the better choice (Loshchilov and Hutter 2019).

    Class attributes:
        formula: the term that is added to the mean loss.
        paddable: whether zeros at the ends of axes add nothing, neither to the term nor to its gradient.
    """

    home: ClassVar[str] = "losses"
    paddable: ClassVar[bool] = False

    _: KW_ONLY
    on: str = option(default="kernels", choices=("kernels", "all"))

    def of(self, weights: jax.Array) -> Any:
        """The penalty of one array."""
        raise NotImplementedError

    def __call__(self, params: Any) -> jax.Array:
        """The penalty of a network with parameters ``params``, a number."""
        leaves = [p for p in jax.tree.leaves(params) if self.on == "all" or trees.is_kernel(p)]
        return sum((self.of(p) for p in leaves), start=jnp.zeros(()))


class ElasticNet(Penalty):
    """l1 sum |w| + l2 / 2 sum w^2, the general case: `L1` has no second term, `L2` no first.

    Zou and Hastie 2005. Keras's ``L1L2`` has no 1/2; scikit-learn's ``alpha`` and ``l1_ratio`` are l1 + l2 and
    l1 / (l1 + l2), as in its ``ElasticNet``.

    Args:
        l1: strength of the first term, which makes weights exactly unneeded.
        l2: strength of the second, which makes them small.
        on: ``"kernels"``: parameters with two axes or more, never biases and norm scales; ``"all"``: these too.

    >>> import jax.numpy as jnp
    >>> float(ElasticNet(0.5, 2.0)({"kernel": jnp.array([[3.0], [-1.0]]), "bias": jnp.array([7.0])}))
    12.0
    """

    formula: ClassVar[str] = "l1 sum |w| + l2 / 2 sum w^2"
    source: ClassVar[str] = "Zou and Hastie 2005"
    choose: ClassVar[str] = "Few inputs matter and groups of them say the same."
    paddable: ClassVar[bool] = True

    l1: float = number(default=1e-4, range="[0, inf)", scale="log", search=(1e-6, 1e-1))
    l2: float = number(default=1e-4, range="[0, inf)", scale="log", search=(1e-6, 1e-1))

    def of(self, weights: jax.Array) -> Any:
        return self.l1 * _length(weights) + self.l2 / 2 * jnp.square(weights).sum()


class L1(Penalty):
    """strength sum |w|: weights that do not pay for themselves go to zero, or as near as steps of this size come.

    Tibshirani 1996. As Keras's ``L1``.

    Args:
        strength: of the pull, the same for a small weight as for a large one.
        on: ``"kernels"`` or ``"all"``.
    """

    formula: ClassVar[str] = "strength sum |w|"
    source: ClassVar[str] = "Tibshirani 1996"
    choose: ClassVar[str] = "Most inputs are useless and it should show in the weights which."
    paddable: ClassVar[bool] = True

    strength: float = number(default=1e-4, range="[0, inf)", scale="log", search=(1e-6, 1e-1))

    def of(self, weights: jax.Array) -> Any:
        return self.strength * _length(weights)


class L2(Penalty):
    """strength / 2 sum w^2, whose gradient is strength w: the coupled form of weight decay, ridge regression's penalty.

    Hoerl and Kennard 1970; Krogh and Hertz 1992. As ``weight_decay`` of PyTorch's SGD and scikit-learn's ``alpha`` times
    the rows; Keras's ``L2`` has no 1/2.

    Args:
        strength: of the pull, for each unit of weight.
        on: ``"kernels"`` or ``"all"``.
    """

    formula: ClassVar[str] = "strength / 2 sum w^2"
    source: ClassVar[str] = "Hoerl and Kennard 1970; Krogh and Hertz 1992"
    choose: ClassVar[str] = "The net overfits and the optimizer is SGD; with Adam take its weight_decay."
    paddable: ClassVar[bool] = True

    strength: float = number(default=1e-4, range="[0, inf)", scale="log", search=(1e-6, 1e-1))

    def of(self, weights: jax.Array) -> Any:
        return self.strength / 2 * jnp.square(weights).sum()


def _length(weights: jax.Array) -> jax.Array:
    """Sum of |w|, with the gradient 0 at 0, where JAX has 1: what is zero is not pulled away from it."""
    return (weights * jax.lax.stop_gradient(jnp.sign(weights))).sum()


PENALTIES: tuple[type[Penalty], ...] = (L1, L2, ElasticNet)
