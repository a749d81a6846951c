"""Network parts: layers, activations and initializers."""

from kilter.nn import activations, calibrate, dropouts, initializers, layers, norms
from kilter.nn.activations import (
    CELU,
    ELU,
    GEGLU,
    GELU,
    GLU,
    SELU,
    Activation,
    Exponential,
    HardSigmoid,
    HardSwish,
    HardTanh,
    Identity,
    LeakyReLU,
    LogSoftmax,
    Maxout,
    Mish,
    Parametric,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    SwiGLU,
    Swish,
    Tanh,
    ThresholdedReLU,
)
from kilter.nn.attention import MultiHeadAttention
from kilter.nn.columns import Concatenate, Select
from kilter.nn.compose import Chain, Residual
from kilter.nn.conv import Conv
from kilter.nn.conv_transpose import ConvTranspose
from kilter.nn.dense import Dense
from kilter.nn.depthwise import DepthwiseConv
from kilter.nn.dropout import AlphaDropout, DropConnect, Dropout, GaussianDropout, SpatialDropout, StochasticDepth
from kilter.nn.embedding import Embedding, OneHot
from kilter.nn.fold import fold
from kilter.nn.global_pool import GlobalAvgPool, GlobalMaxPool
from kilter.nn.layer import Layer, Weighted
from kilter.nn.layer_norms import GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from kilter.nn.norm import BatchNorm, BatchRenorm
from kilter.nn.periodic import PeriodicEmbedding
from kilter.nn.piecewise import Bins, PiecewiseLinearEmbedding
from kilter.nn.pool import AvgPool, MaxPool
from kilter.nn.populations import exact_statistics
from kilter.nn.positions import PositionEmbedding, PositionEncoding
from kilter.nn.reshape import Flatten
from kilter.nn.response_norm import LocalResponseNorm
from kilter.nn.scale import Scale
from kilter.nn.transformer import TransformerBlock
from kilter.nn.weight_norms import SpectralNorm, WeightNorm

__all__ = [
    "CELU",
    "ELU",
    "GEGLU",
    "GELU",
    "GLU",
    "SELU",
    "Activation",
    "AlphaDropout",
    "AvgPool",
    "BatchNorm",
    "BatchRenorm",
    "Bins",
    "Chain",
    "Concatenate",
    "Conv",
    "ConvTranspose",
    "Dense",
    "DepthwiseConv",
    "DropConnect",
    "Dropout",
    "Embedding",
    "Exponential",
    "Flatten",
    "GaussianDropout",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "Identity",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LocalResponseNorm",
    "LogSoftmax",
    "MaxPool",
    "Maxout",
    "Mish",
    "MultiHeadAttention",
    "OneHot",
    "PReLU",
    "Parametric",
    "PeriodicEmbedding",
    "PiecewiseLinearEmbedding",
    "PositionEmbedding",
    "PositionEncoding",
    "RMSNorm",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Residual",
    "Scale",
    "Select",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "SpatialDropout",
    "SpectralNorm",
    "StochasticDepth",
    "SwiGLU",
    "Swish",
    "Tanh",
    "ThresholdedReLU",
    "TransformerBlock",
    "WeightNorm",
    "Weighted",
    "activations",
    "calibrate",
    "dropouts",
    "exact_statistics",
    "fold",
    "initializers",
    "layers",
    "norms",
]
