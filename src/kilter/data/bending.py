"""Preprocessing that bends each feature: outliers drawn in, or ranks made normal."""

from collections.abc import Callable

import numpy as np

from kilter.core.specs import number, option
from kilter.data.arrays import Array
from kilter.data.preprocess import Preprocess, Statistics


class SmoothClip(Preprocess):
    """y = x / sqrt(1 + (x / limit)^2): near the identity within a limit's third, and never beyond the limit.

    Learns nothing; put it behind `Robust` or `Standardize`. Holzmüller et al. 2024 (RealMLP), section 3.

    Args:
        limit: what even the largest inputs do not reach.
    """

    formula = "x / sqrt(1 + (x / limit)^2)"
    source = "Holzmüller et al. 2024, RealMLP"
    choose = "Behind a scale, where a few values are far off."

    limit: float = number(default=3.0, range="(0, inf)", scale="log", search=(1.0, 10.0))

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        return {}

    def apply(self, statistics: Statistics, x: Array) -> Array:
        return (x / np.sqrt(1 + (x.astype(np.float64) / self.limit) ** 2)).astype(np.float32)

    def invert(self, statistics: Statistics, x: Array) -> Array:
        """Undo `apply`; what rounding has brought to the limit comes back as large, not as infinite."""
        share = np.clip(x.astype(np.float64) / self.limit, -1 + 1e-7, 1 - 1e-7)
        return (self.limit * share / np.sqrt(1 - share**2)).astype(np.float32)


class QuantileNormal(Preprocess):
    """Every feature to a standard normal by its rank among the training rows, linear in between; ends at 5.2.

    Args:
        knots: number of quantiles that are kept of each feature; at most as many as there are rows help.
    """

    formula = "Phi^-1(rank of x among training rows), by feature"
    source = "van der Waerden 1952; scikit-learn's QuantileTransformer"
    choose = "For skewed features whose order matters more than their distances."

    knots: int = option(default=1000, kinds=int, range="[2, inf)")

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        shares = np.linspace(0, 1, min(self.knots, max(2, len(x))))
        return {"knots": np.quantile(x.astype(np.float64), shares, axis=0)}

    def apply(self, statistics: Statistics, x: Array) -> Array:
        from scipy.special import ndtri  # scipy.special takes a tenth of a second to import

        ranks = _by_feature(_rank, statistics["knots"], x)
        return ndtri(np.clip(ranks, _END, 1 - _END)).astype(np.float32)

    def invert(self, statistics: Statistics, x: Array) -> Array:
        from scipy.special import ndtr

        return _by_feature(_value, statistics["knots"], ndtr(x)).astype(np.float32)


# Ranks 0 and 1 would be infinite; 1e-7 lies 5.2 standard deviations out.
_END = 1e-7


def _by_feature(change: Callable[[Array, Array], Array], knots: Array, x: Array) -> Array:
    flat, columns = x.reshape(len(x), -1).astype(np.float64), knots.reshape(len(knots), -1)
    changed = [change(columns[:, index], flat[:, index]) for index in range(flat.shape[1])]
    return np.stack(changed, -1).reshape(x.shape)


def _rank(knots: Array, x: Array) -> Array:
    """Share of the training rows below each value; in the middle of its ties."""
    shares = np.linspace(0, 1, len(knots))
    return (np.interp(x, knots, shares) + 1 - np.interp(-x, -knots[::-1], shares)) / 2


def _value(knots: Array, ranks: Array) -> Array:
    return np.interp(ranks, np.linspace(0, 1, len(knots)), knots)
