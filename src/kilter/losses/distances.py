"""Distances of outputs from targets: a cost of the error, mean over outputs."""

from typing import Any

import jax
import numpy as np

from kilter.core.arrays import namespace
from kilter.core.specs import number
from kilter.losses import targets as forms
from kilter.losses.loss import Loss


class Distance(Loss, abstract=True):
    """Base of distances: mean over outputs of cost(output - target).

    A member says what an error costs and which constant costs least. On classes the targets are one-hot rows, or 0 and
    1 with one output. ``(batch, k)`` to ``(batch,)``.
    """

    def cost(self, errors: Any) -> Any:
        """What errors cost, each by itself; on NumPy and on JAX arrays."""
        raise NotImplementedError

    def best(self, targets: Any) -> Any:
        """The constant of each column ``(rows, k)`` that costs least, ``(k,)``."""
        raise NotImplementedError

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        return self.cost(outputs - forms.columns(targets, outputs)).mean(-1)

    def chance(self, targets: Any, classes: int = 0) -> float:
        rows = forms.rows(targets, classes)
        return float(self.cost(self.best(rows) - rows).mean())

    def outputs(self, targets: Any, classes: int) -> tuple[int, ...]:
        if classes:
            return (1, 2) if classes == 2 else (classes,)
        return (np.reshape(targets, (len(targets), -1)).shape[1],)

    def read(self, outputs: jax.Array, classes: bool) -> jax.Array:
        return forms.normalized(outputs) if classes else outputs


class SquaredError(Distance):
    """(output - target)^2, mean over outputs. On classes the targets are one-hot rows, or 0 and 1 with one output."""

    formula = "mean_j (o_j - t_j)^2"
    source = "Legendre 1805; Gauss 1809"
    choose = "Numbers whose errors are near normal. The default for regression; learns the mean."

    def cost(self, errors: Any) -> Any:
        return namespace(errors).square(errors)

    def best(self, targets: Any) -> Any:
        return targets.mean(0)


class AbsoluteError(Distance):
    """|output - target|, mean over outputs; its gradient at 0 is 0. PyTorch's ``L1Loss``, Keras's ``MeanAbsoluteError``."""

    formula = "mean_j |o_j - t_j|"
    source = "Boscovich 1757; Laplace 1774"
    choose = "Numbers with outliers that should not count more for being far; learns the median."

    def cost(self, errors: Any) -> Any:
        return abs(errors)

    def best(self, targets: Any) -> Any:
        return np.median(targets, axis=0)


class Huber(Distance):
    """e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2), with e = output - target, mean over outputs.

    Huber 1964, equation 2.4. As PyTorch's and Keras's; PyTorch's ``SmoothL1Loss`` is this over delta.

    Args:
        delta: error from which on the cost grows straight, in units of the target.
    """

    formula = "mean_j e_j^2 / 2 if |e_j| <= delta else delta (|e_j| - delta / 2),  e = o - t"
    source = "Huber 1964"
    choose = "Numbers with some outliers: the squared error for small errors, the absolute one for large."

    delta: float = number(default=1.0, range="(0, inf)", scale="log", search=(0.1, 10.0))

    def cost(self, errors: Any) -> Any:
        size = abs(errors)
        near = namespace(errors).minimum(size, self.delta)
        return near * (size - near / 2)

    def best(self, targets: Any) -> Any:
        """Where the clipped errors add up to nothing, found by halving."""
        low, high = targets.min(0), targets.max(0)
        for _ in range(100):
            middle = (low + high) / 2
            above = np.clip(middle - targets, -self.delta, self.delta).sum(0) > 0
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return (low + high) / 2


class Quantile(Distance):
    """max(q (target - output), (q - 1) (target - output)), mean over outputs: its minimum is the quantile q.

    Koenker and Bassett 1978, equation 2.1 (the pinball loss); half the absolute error at q = 0.5. scikit-learn's
    ``mean_pinball_loss``; PyTorch and Keras have none.

    Args:
        q: share of targets that should lie below the output.
    """

    formula = "mean_j max(q (t_j - o_j), (q - 1) (t_j - o_j))"
    source = "Koenker and Bassett 1978"
    choose = "A bound rather than a middle is wanted: a level that 90 percent stay below."

    q: float = number(default=0.5, range="(0, 1)", search=(0.05, 0.95))

    def cost(self, errors: Any) -> Any:
        return namespace(errors).maximum(-self.q * errors, (1 - self.q) * errors)

    def best(self, targets: Any) -> Any:
        return np.quantile(targets, self.q, axis=0, method="inverted_cdf")
