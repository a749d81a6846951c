"""All activations, by name; `ALL` lists those that are functions of a signal alone (`Maxout` has weights)."""

from kilter.nn.activation import SATURATED, Activation, Bounds
from kilter.nn.exponentials import CELU, ELU, SELU, Exponential
from kilter.nn.gated import GEGLU, GLU, SwiGLU
from kilter.nn.learned import PReLU, RReLU
from kilter.nn.maxout import Maxout
from kilter.nn.parametric import Parametric
from kilter.nn.rectifiers import Identity, LeakyReLU, ReLU, ReLU6, ThresholdedReLU
from kilter.nn.sigmoids import HardSigmoid, HardTanh, Sigmoid, Softsign, Tanh
from kilter.nn.smooth import GELU, HardSwish, Mish, SiLU, Softplus, Swish
from kilter.nn.softmaxes import LogSoftmax, Softmax

ALL: tuple[type[Activation], ...] = (
    *(Identity, ReLU, LeakyReLU, PReLU, RReLU, ReLU6, ThresholdedReLU),
    *(Tanh, Sigmoid, Softsign, HardTanh, HardSigmoid),
    *(ELU, CELU, SELU, Exponential, Parametric),
    *(GELU, SiLU, Swish, Mish, HardSwish, Softplus),
    *(Softmax, LogSoftmax, GLU, GEGLU, SwiGLU),
)

__all__ = [
    "ALL",
    "CELU",
    "ELU",
    "GEGLU",
    "GELU",
    "GLU",
    "SATURATED",
    "SELU",
    "Activation",
    "Bounds",
    "Exponential",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "Identity",
    "LeakyReLU",
    "LogSoftmax",
    "Maxout",
    "Mish",
    "PReLU",
    "Parametric",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "SwiGLU",
    "Swish",
    "Tanh",
    "ThresholdedReLU",
]
