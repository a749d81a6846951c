"""What every activation knows of itself: its range, derivative and gain, and where it saturates or is dead."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.nn import moments
from kilter.nn.layer import Layer, Params, State

Bounds = tuple[float, float]

# A value counts as saturated where less than this share of the steepest slope is left: |tanh(x)| > 0.975, |x| > 2.18.
SATURATED = 0.05


class Activation(Layer, abstract=True):
    """Base of all activations: a layer, most often without parameters, and a function that is called directly.

    One of your own needs ``__call__`` alone; the rest is computed from it. Where a closed form is known, override it.

    Class attributes:
        bounds: lowest and highest value that it can give.
        elementwise: whether each output depends on one input alone; the layer in front is then matched to it.
        mortal: whether output and derivative can both be exactly zero over a range, as in rectifiers.
        formula: f as one reads it.
        paddable: unless stated, of those that are element-wise and whose `apply` is this base's.

    >>> import jax.numpy as jnp
    >>> class Cube(Activation):
    ...     def __call__(self, x):
    ...         return x**3
    >>> float(Cube().derivative(jnp.float32(2.0)))
    12.0
    """

    bounds: ClassVar[Bounds] = (-math.inf, math.inf)
    elementwise: ClassVar[bool] = True
    mortal: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "paddable" not in vars(cls):
            cls.paddable = cls.elementwise and cls.apply is Activation.apply

    def __call__(self, x: Any) -> jax.Array:
        raise NotImplementedError

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        return self(x), state

    def derivative(self, x: Any) -> jax.Array:
        """f'(x), of the shape of x; where not element-wise, the Jacobian over the last axis, ``(..., out, in)``."""
        x = jnp.asarray(x)
        if self.elementwise:
            return jax.jvp(self, (x,), (jnp.ones_like(x),))[1]
        jacobian = jax.vmap(jax.jacfwd(self))(x.reshape(-1, x.shape[-1]))
        return jacobian.reshape(*x.shape[:-1], *jacobian.shape[1:])

    def gain(self) -> Any:
        """1 / sqrt(E[f(z)^2]) for z ~ N(0, 1), by quadrature; 1 for those over an axis, where it depends on the width."""
        return moments.gain(self) if self.elementwise else 1.0

    def steepest(self) -> Any:
        """Largest |f'(x)|, over -8 to 8."""
        return jnp.max(jnp.abs(self.derivative(moments.quadrature()[0])))

    def saturated(self, x: Any) -> jax.Array:
        """Where |f'(x)| is below 5 % of its largest value and the value is not `dead`; a mask of the shape of x.

        All False where the derivative stays away from zero. It holds the neighborhood of a smooth minimum, too (GELU).
        """
        if not self.elementwise:
            return jnp.zeros(jnp.shape(x), bool)
        flat = jnp.abs(self.derivative(x)) < SATURATED * self.steepest()
        return flat & ~self.dead(x)

    def dead(self, x: Any) -> jax.Array:
        """Where a rectifier's output and derivative are both exactly zero; a mask of the shape of x."""
        if not self.mortal:
            return jnp.zeros(jnp.shape(x), bool)
        return (self(x) == 0) & (self.derivative(x) == 0)
