"""Embeddings of numbers by the share that they fill of each bin."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.errors import InputError
from kilter.core.specs import option, part
from kilter.core.values import Value
from kilter.nn.activations import Activation
from kilter.nn.initializers import Initializer
from kilter.nn.layer import Params, Shape, State
from kilter.nn.numeric import NumericEmbedding


class Bins(Value):
    """Edges of neighboring bins of a feature, ascending, at least two."""

    home = "nn"

    edges: tuple[float, ...] = option(kinds=(float, int, tuple))

    def _fill(self, given: dict[str, Any]) -> None:
        super()._fill(given)
        if not isinstance(self.edges, tuple) or len(self.edges) < 2 or not np.all(np.diff(self.edges) > 0):
            raise InputError(f"Bins({self.edges!r}): edges must be at least two numbers that ascend")


class PiecewiseLinearEmbedding(NumericEmbedding):
    """Each feature as the share that it fills of each of its bins: z_t(x) = (x - b_(t-1)) / (b_t - b_(t-1)), cut to [0, 1].

    The first bin is not cut below, the last not above, so that x can be read off beyond the edges too. Gorishniy, Rubachev
    and Babenko 2022, section 3.2, equation 1 (PLE; with ``size`` and an activation "Q-LR"). The edges are part of the
    value; `kl.data.quantile_bins` finds them, as the paper does, at quantiles of the training rows.

    Args:
        bins: edges for each feature, or one for all features.
        size: outputs of a linear map behind the shares; left open, there is none.
        activation: behind the linear map.
        shared: whether all features share one linear map.
        direct: whether the feature itself stands in front of its embedding.
        initializer: how the map W, of shape ``(k, features * size)``, is drawn; left open, matched.

    Shapes: ``(batch, features)`` to ``(batch, features * m)``, m = k or size, and one more if ``direct``; k is the largest
    number of bins, and features with fewer have zeros in their place.

    Raises:
        InputError: by `init`, where an example is no row of features or there are other than one or ``features`` bins.

    >>> import jax.numpy as jnp
    >>> layer = PiecewiseLinearEmbedding(Bins((0.0, 1.0, 3.0)))
    >>> layer.apply({}, (), jnp.array([[2.0], [-1.0]]))[0].tolist()
    [[1.0, 0.5], [-1.0, 0.0]]
    """

    formula = "z_t = (x - b_(t-1)) / (b_t - b_(t-1)), cut to [0, 1] inside;  perhaps activation(W z + b)"
    source = "Gorishniy et al. 2022, section 3.2, equation 1"
    choose = "Numbers of a table whose effect has steps; needs edges, of which quantiles are good."

    bins: tuple[Bins, ...] = part(kinds=Bins, many=True)

    def __init__(
        self,
        *bins: Bins,
        size: int | None = None,
        activation: Activation | None = None,
        shared: bool = False,
        direct: bool = False,
        initializer: Initializer | None = None,
    ) -> None:
        own = {"size": size, "activation": activation, "shared": shared, "direct": direct}
        self._fill({"bins": bins, "initializer": initializer} | own)

    def _fill(self, given: dict[str, Any]) -> None:
        super()._fill(given)
        if not self.bins:
            raise InputError("PiecewiseLinearEmbedding(): give nn.Bins for each feature, or one for all")

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if len(shape) == 1 and len(self.bins) not in (1, shape[0]):
            raise InputError(
                f"PiecewiseLinearEmbedding: has bins for {len(self.bins)} features, the input has {shape[0]}"
            )
        return super().init(key, shape)

    def expanded(self) -> int:
        return max(len(each.edges) for each in self.bins) - 1

    def expand(self, params: Params, x: jax.Array) -> jax.Array:
        low, steepness, least, most = (array.astype(x.dtype) for array in self._frame())
        return jnp.clip((x[..., None] - low) * steepness, least, most)

    def _frame(self) -> tuple[Any, ...]:
        """Lower edge, 1 / width, least and largest value of each bin ``(bins, k)``; bins that are not there stay zero."""
        low, steepness, least, most = np.zeros((4, len(self.bins), self.expanded()))
        for row, each in enumerate(self.bins):
            count = len(each.edges) - 1
            low[row, :count], steepness[row, :count] = each.edges[:-1], 1 / np.diff(each.edges)
            most[row, :count] = 1
            least[row, 0], most[row, count - 1] = -np.inf, np.inf
        return low, steepness, least, most
