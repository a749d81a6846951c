"""Network parts: layers, activations and initializers."""

from kilter.nn import activations, calibrate, dropouts, initializers, norms, recurrents
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
from kilter.nn.bidirectional import Bidirectional
from kilter.nn.cells import GRU, LSTM, MGU, SimpleRNN
from kilter.nn.compose import Chain, Residual
from kilter.nn.conv import Conv
from kilter.nn.dense import Dense
from kilter.nn.dropout import AlphaDropout, DropConnect, Dropout, GaussianDropout, SpatialDropout, StochasticDepth
from kilter.nn.fold import fold
from kilter.nn.layer import Layer, Weighted
from kilter.nn.layer_norms import GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from kilter.nn.norm import BatchNorm, BatchRenorm
from kilter.nn.pool import AvgPool, MaxPool
from kilter.nn.populations import exact_statistics
from kilter.nn.recurrent import Recurrent
from kilter.nn.reshape import Flatten
from kilter.nn.response_norm import LocalResponseNorm
from kilter.nn.weight_norms import SpectralNorm, WeightNorm

__all__ = [
    "CELU",
    "ELU",
    "GEGLU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "MGU",
    "SELU",
    "Activation",
    "AlphaDropout",
    "AvgPool",
    "BatchNorm",
    "BatchRenorm",
    "Bidirectional",
    "Chain",
    "Conv",
    "Dense",
    "DropConnect",
    "Dropout",
    "Exponential",
    "Flatten",
    "GaussianDropout",
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
    "PReLU",
    "RMSNorm",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Recurrent",
    "Residual",
    "SiLU",
    "Sigmoid",
    "SimpleRNN",
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
    "WeightNorm",
    "Weighted",
    "activations",
    "calibrate",
    "dropouts",
    "exact_statistics",
    "fold",
    "initializers",
    "norms",
    "recurrents",
]
