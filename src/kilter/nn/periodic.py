"""Embeddings of numbers by waves of learned frequencies."""

from dataclasses import KW_ONLY

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.keys import named
from kilter.core.specs import number, option
from kilter.nn.layer import Params
from kilter.nn.numeric import NumericEmbedding


class PeriodicEmbedding(NumericEmbedding):
    """Each feature as waves of learned frequencies: z(x) = (sin v, cos v) with v_i = 2 pi c_i x, c_i ~ N(0, sigma^2).

    With ``phase`` it is z(x) = cos(v + b) instead, b ~ U(-pi, pi) learned. The famous forms, for d features:

    - PLR (Gorishniy et al. 2022): ``PeriodicEmbedding(48, size=24, activation=nn.ReLU())``; PLR(lite) with ``shared``.
    - PBLD (RealMLP): ``PeriodicEmbedding(16, size=3, phase=True, direct=True)``.

    Inputs should be scaled (`kl.data.Standardize`, `kl.data.Robust`); ``sigma`` matters most and is worth a search.
    Gorishniy, Rubachev and Babenko 2022, equation 2; Holzmüller et al. 2024, section 3.

    Args:
        frequencies: number k of frequencies c of each feature.
        sigma: standard deviation of the frequencies at the start, in periods a unit of x.
        phase: whether waves are cosines with a learned phase, k numbers, rather than pairs, 2 k numbers.
        size: outputs of a linear map behind the waves; left open, there is none.
        activation: behind the linear map.
        shared: whether all features share one linear map.
        direct: whether the feature itself stands in front of its embedding.
        initializer: how the map W, of shape ``(k or 2 k, features * size)``, is drawn; left open, matched.

    Shapes: ``(batch, features)`` to ``(batch, features * m)``, m = 2 k, k or size, and one more if ``direct``. Parameters
    ``{"frequency": (features, k), "phase": (features * k,), "kernel", "bias": (features * size,)}``.

    Raises:
        InputError: by `init`, where an example is no row of features.
    """

    formula = "(sin v, cos v), v = 2 pi c x;  perhaps activation(W z + b);  perhaps x in front"
    source = "Gorishniy et al. 2022, equation 2 (PLR); Holzmüller et al. 2024, section 3 (PBLD)"
    choose = "Numbers of a table, where trees do better than the network; as PBLD it rarely hurts."

    frequencies: int = option(default=16, kinds=int, range="[1, inf)")
    sigma: float = number(default=0.1, range="(0, inf)", scale="log", search=(0.01, 10.0))
    _: KW_ONLY
    phase: bool = option(default=False, kinds=bool)

    def expanded(self) -> int:
        return self.frequencies if self.phase else 2 * self.frequencies

    def start(self, key: jax.Array, features: int) -> dict[str, jax.Array]:
        shape = (features, self.frequencies)
        params = {"frequency": self.sigma * jax.random.normal(named(key, "frequency"), shape)}
        if self.phase:
            flat = (features * self.frequencies,)
            params["phase"] = jax.random.uniform(named(key, "phase"), flat, minval=-np.pi, maxval=np.pi)
        return params

    def expand(self, params: Params, x: jax.Array) -> jax.Array:
        v = 2 * np.pi * params["frequency"] * x[..., None]
        if self.phase:
            return jnp.cos(v + params["phase"].reshape(params["frequency"].shape))
        return jnp.concatenate([jnp.sin(v), jnp.cos(v)], -1)
