"""PyTorch's functions that a forward pass calls by itself, as layers of Kilter."""

from collections.abc import Callable
from typing import Any

from kilter import nn
from kilter.core.errors import InputError
from kilter.interop.torch_layers import over_last, pool
from kilter.nn.layer import Layer

# They change the form of a signal and nothing else; an anatomy does not show them.
FORMS = frozenset(
    [
        "view",
        "reshape",
        "permute",
        "transpose",
        "t",
        "swapaxes",
        "movedim",
        "squeeze",
        "unsqueeze",
        "__getitem__",
        "select",
        "narrow",
        "chunk",
        "split",
        "expand",
        "repeat",
        "unflatten",
        "flatten",
        "ravel",
        "getitem",
        "T",
        "__get__",
        "mT",
        "rearrange",
        "stack",
        "roll",
        "flip",
        "pad",
    ]
)
# These leave even the form alone.
SAME = frozenset(["contiguous", "clone", "float", "to", "cpu", "cuda", "type", "type_as", "requires_grad_", "alias"])
# With a number on the other side these are linear, too.
SCALINGS = frozenset(
    ["mul", "mul_", "div", "div_", "true_divide", "sub", "sub_", "rsub", "neg", "__rmul__", "__rsub__", "__radd__"]
)
SUMS = frozenset(["add", "add_", "__add__", "__iadd__", "__radd__"])


def takes_last(name: str, args: tuple[Any, ...]) -> bool:
    """Whether a function is ``x[:, -1]``: the last time of a sequence."""
    if name != "__getitem__" or not isinstance(args[1], tuple):
        return False
    index = args[1]
    plain = all(isinstance(each, int | slice) for each in index)  # a tensor among them would compare number by number
    return plain and index in ((slice(None), -1), (slice(None), -1, slice(None)))


def layer(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Layer | None:
    """The layer of Kilter that does what a function does; None where there is none."""
    make = _FUNCTIONS.get(name.removesuffix("_"))
    try:
        return None if make is None else make(*args[1:], **named)
    except (InputError, TypeError):  # a setting that Kilter does not have
        return None


def _plain(made: Layer) -> Callable[..., Layer]:
    return lambda *args, **named: made


def _over_last(made: Layer) -> Callable[..., Layer | None]:
    return lambda dim=None, *args, **named: made if over_last(dim) else None


def _dropout(p: float = 0.5, training: bool = True, inplace: bool = False) -> Layer:
    return nn.Dropout(float(p))


def _max_pool(window: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, **named: Any) -> Layer | None:
    return pool(nn.MaxPool, window, stride, padding) if dilation in (1, (1, 1)) and not any(named.values()) else None


def _avg_pool(window: Any, stride: Any = None, padding: Any = 0, **named: Any) -> Layer | None:
    return pool(nn.AvgPool, window, stride) if padding in (0, (0, 0)) and not named.get("ceil_mode") else None


def _global(made: Layer) -> Callable[..., Layer | None]:
    return lambda size, *args, **named: made if size in (1, (1, 1), [1, 1], (1,)) else None


def _mean(dim: Any = None, keepdim: bool = False, **named: Any) -> Layer | None:
    return nn.GlobalAvgPool() if sorted(dim) in ([2, 3], [-2, -1]) else None


_FUNCTIONS: dict[str, Callable[..., Layer | None]] = {
    "relu": _plain(nn.ReLU()),
    "relu6": _plain(nn.ReLU6()),
    "leaky_relu": lambda negative_slope=0.01, inplace=False: nn.LeakyReLU(negative_slope),
    "tanh": _plain(nn.Tanh()),
    "sigmoid": _plain(nn.Sigmoid()),
    "softsign": _plain(nn.Softsign()),
    "hardsigmoid": _plain(nn.HardSigmoid()),
    "elu": lambda alpha=1.0, inplace=False: nn.ELU(alpha),
    "celu": lambda alpha=1.0, inplace=False: nn.CELU(alpha),
    "selu": _plain(nn.SELU()),
    "gelu": lambda approximate="none": nn.GELU(approximate == "tanh"),
    "silu": _plain(nn.SiLU()),
    "mish": _plain(nn.Mish()),
    "hardswish": _plain(nn.HardSwish()),
    "softplus": lambda beta=1, threshold=20: nn.Softplus() if beta == 1 else None,
    "exp": _plain(nn.Exponential()),
    "softmax": _over_last(nn.Softmax()),
    "log_softmax": _over_last(nn.LogSoftmax()),
    "dropout": _dropout,
    "max_pool1d": _max_pool,
    "max_pool2d": _max_pool,
    "avg_pool1d": _avg_pool,
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool1d": _global(nn.GlobalAvgPool()),
    "adaptive_avg_pool2d": _global(nn.GlobalAvgPool()),
    "mean": _mean,
}
