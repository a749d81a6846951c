"""The family of norms: of batches, of examples, of neighboring channels and of weights."""

from kilter.nn.layer import Layer
from kilter.nn.layer_norms import GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from kilter.nn.norm import BatchNorm, BatchRenorm
from kilter.nn.response_norm import LocalResponseNorm
from kilter.nn.weight_norms import SpectralNorm, WeightNorm

ALL: tuple[type[Layer], ...] = (
    BatchNorm,
    BatchRenorm,
    LayerNorm,
    RMSNorm,
    GroupNorm,
    InstanceNorm,
    LocalResponseNorm,
    WeightNorm,
    SpectralNorm,
)
