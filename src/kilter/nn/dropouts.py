"""The family of dropouts: what is left out at random while training."""

from kilter.nn.dropout import AlphaDropout, DropConnect, Dropout, GaussianDropout, SpatialDropout, StochasticDepth
from kilter.nn.layer import Layer

ALL: tuple[type[Layer], ...] = (
    Dropout,
    SpatialDropout,
    StochasticDepth,
    GaussianDropout,
    AlphaDropout,
    DropConnect,
)
