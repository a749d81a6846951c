"""Network parts: layers, activations and initializers."""

from kilter.nn import activations, initializers
from kilter.nn.activations import Activation, Identity, ReLU, Sigmoid, Softmax, Tanh
from kilter.nn.compose import Chain, Residual
from kilter.nn.conv import Conv
from kilter.nn.dense import Dense
from kilter.nn.dropout import Dropout
from kilter.nn.layer import Layer, Weighted
from kilter.nn.norm import BatchNorm
from kilter.nn.pool import AvgPool, MaxPool
from kilter.nn.reshape import Flatten

__all__ = [
    "Activation",
    "AvgPool",
    "BatchNorm",
    "Chain",
    "Conv",
    "Dense",
    "Dropout",
    "Flatten",
    "Identity",
    "Layer",
    "MaxPool",
    "ReLU",
    "Residual",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Weighted",
    "activations",
    "initializers",
]
