"""All initializers, by name; `ALL` lists them."""

from kilter.nn.fixed import Constant, Identity, Zeros
from kilter.nn.initializer import Initializer, Shape, draw, fans
from kilter.nn.matched import Matched
from kilter.nn.orthogonal import LSUV, DeltaOrthogonal, Orthogonal
from kilter.nn.scaled import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LeCunNormal,
    LeCunUniform,
    VarianceScaling,
)
from kilter.nn.sparse import Sparse
from kilter.nn.unscaled import Normal, SmallRandom, TruncatedNormal, Uniform

ALL: tuple[type[Initializer], ...] = (
    *(Zeros, Constant, Identity),
    *(Uniform, Normal, TruncatedNormal, SmallRandom),
    *(VarianceScaling, GlorotUniform, GlorotNormal, HeUniform, HeNormal, LeCunUniform, LeCunNormal, Matched),
    *(Orthogonal, DeltaOrthogonal, LSUV, Sparse),
)

__all__ = [
    "ALL",
    "LSUV",
    "Constant",
    "DeltaOrthogonal",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LeCunNormal",
    "LeCunUniform",
    "Matched",
    "Normal",
    "Orthogonal",
    "Shape",
    "SmallRandom",
    "Sparse",
    "TruncatedNormal",
    "Uniform",
    "VarianceScaling",
    "Zeros",
    "draw",
    "fans",
]
