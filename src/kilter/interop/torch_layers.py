"""PyTorch's layers as Kilter's: the part that does the same, with the initializers that drew its weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn as t

from kilter import nn
from kilter.core.errors import InputError
from kilter.interop.drawn import TORCH, drawn, drawn_bias
from kilter.nn.initializers import Uniform
from kilter.nn.layer import Layer

Array = np.ndarray[Any, Any]
# Channels stand in front of positions in these, and behind them in those; others leave them where they were.
FIRST = (
    *(t.Conv1d, t.Conv2d, t.ConvTranspose1d, t.ConvTranspose2d, t.BatchNorm1d, t.BatchNorm2d, t.GroupNorm),
    *(t.InstanceNorm1d, t.InstanceNorm2d, t.MaxPool1d, t.MaxPool2d, t.AvgPool1d, t.AvgPool2d, t.LocalResponseNorm),
    *(t.AdaptiveAvgPool1d, t.AdaptiveAvgPool2d, t.AdaptiveMaxPool1d, t.AdaptiveMaxPool2d, t.Dropout1d, t.Dropout2d),
)
LAST = (t.Linear, t.Bilinear, t.LayerNorm, t.RMSNorm, t.Embedding, t.RNNBase, t.MultiheadAttention)


def kernel(module: t.Module) -> Array | None:
    """Weights of a dense or convolution layer as ``(*window, in, out)``; None for other layers."""
    if not isinstance(module, t.Linear | t.Conv1d | t.Conv2d):
        return None
    weight = module.weight.detach().float().cpu().numpy()
    return np.moveaxis(weight, (0, 1), (-1, -2))


def layer(module: t.Module) -> Layer | None:
    """The layer of Kilter for a module, with the initializers that its weights tell of; None where there is none."""
    make = next((make for kind, make in _LAYERS.items() if type(module) is kind), None)
    if make is None:
        return None
    try:
        return make(module)
    except InputError:  # a setting that Kilter does not have
        return None


def _weights(module: Any) -> dict[str, Any]:
    own = kernel(module)
    assert own is not None
    if not np.isfinite(own).all():
        return {"bias": module.bias is not None}
    bias = None if module.bias is None else module.bias.detach().float().cpu().numpy()
    return {
        "bias": bias is not None,
        "initializer": drawn(own),
        "bias_initializer": drawn_bias(bias, own.shape),
    }


def _dense(module: t.Linear) -> Layer:
    return nn.Dense(module.out_features, **_weights(module))


def _conv(module: t.Conv1d | t.Conv2d) -> Layer | None:
    if module.padding_mode != "zeros":
        return None
    return nn.Conv(
        module.out_channels,
        _size(module.kernel_size),
        stride=_size(module.stride),
        padding=module.padding if isinstance(module.padding, str) else _size(module.padding),
        dilation=_size(module.dilation),
        groups=module.groups,
        **_weights(module),
    )


def _batch_norm(module: Any) -> Layer | None:
    if not module.track_running_stats:
        return None
    kept = 0.9 if module.momentum is None else 1.0 - module.momentum
    affine = bool(module.affine)
    return nn.BatchNorm(kept, module.eps, scale=affine, shift=affine, cumulative=module.momentum is None)


def _layer_norm(module: t.LayerNorm) -> Layer:
    axes = tuple(range(-len(module.normalized_shape), 0))
    affine = bool(module.elementwise_affine)
    shift = affine and module.bias is not None
    return nn.LayerNorm(axes if len(axes) > 1 else -1, epsilon=module.eps, scale=affine, shift=shift)


def _rms_norm(module: t.RMSNorm) -> Layer | None:
    epsilon = float(np.finfo(np.float32).eps) if module.eps is None else module.eps
    return nn.RMSNorm(epsilon=epsilon, scale=module.elementwise_affine) if len(module.normalized_shape) == 1 else None


def _pool(kind: type[Layer]) -> Callable[[Any], Layer | None]:
    def make(module: Any) -> Layer | None:
        whole = getattr(module, "dilation", 1) in (1, (1, 1)) and not module.ceil_mode
        counted = isinstance(module, t.AvgPool1d | t.AvgPool2d) and module.count_include_pad and _any(module.padding)
        if not whole or counted or getattr(module, "return_indices", False):
            return None
        return pool(kind, module.kernel_size, module.stride, module.padding)

    return make


def pool(kind: Any, window: Any, stride: Any = None, padding: Any = 0) -> Layer:
    """A pooling layer of these sizes, which PyTorch gives as numbers or tuples."""
    return kind(_size(window), _size(window if stride is None else stride), padding=_size(padding))


def _size(given: Any) -> Any:
    """One number where all axes have the same."""
    each = [int(one) for one in given] if isinstance(given, tuple | list) else [int(given)]
    return each[0] if len(set(each)) == 1 else tuple(each)


def _any(padding: Any) -> bool:
    return bool(np.any(padding))


def _global(kind: Any) -> Callable[[Any], Layer | None]:
    return lambda module: kind() if module.output_size in (1, (1,), (1, 1)) else None


def _softmax(kind: Any) -> Callable[[Any], Layer | None]:
    return lambda module: kind() if over_last(module.dim) else None


def over_last(dim: int | None) -> bool:
    """Whether a softmax goes over the last axis, as far as its argument tells."""
    return dim in (None, -1, 1)


def _recurrent(kind: Any, **more: Any) -> Callable[[Any], Layer | None]:
    def make(module: Any) -> Layer | None:
        plain = module.batch_first and module.num_layers == 1 and not module.bidirectional and not module.proj_size
        if not plain:
            return None
        drawn = Uniform(float(module.hidden_size**-0.5))
        three = {"initializer": drawn, "recurrent_initializer": drawn, "bias_initializer": drawn}
        return kind(module.hidden_size, sequences=True, bias=module.bias, **three, **more)

    return make


def _rnn(module: t.RNN) -> Layer | None:
    activation = nn.ReLU() if module.nonlinearity == "relu" else nn.Tanh()
    return _recurrent(nn.SimpleRNN, activation=activation)(module)


def _embedding(module: t.Embedding) -> Layer | None:
    if module.max_norm is not None:
        return None
    table = module.weight.detach().float().cpu().numpy()
    initializer = drawn(table) if np.isfinite(table).all() else TORCH
    return nn.Embedding(*table.shape, padding=module.padding_idx, initializer=initializer)


def _plain(made: Layer) -> Callable[[Any], Layer]:
    return lambda module: made


def _flatten(module: t.Flatten) -> Layer | None:
    return nn.Flatten() if (module.start_dim, module.end_dim) == (1, -1) else None


_LAYERS: dict[type[t.Module], Callable[[Any], Layer | None]] = {
    t.Linear: _dense,
    t.Conv1d: _conv,
    t.Conv2d: _conv,
    t.BatchNorm1d: _batch_norm,
    t.BatchNorm2d: _batch_norm,
    t.LayerNorm: _layer_norm,
    t.RMSNorm: _rms_norm,
    t.GroupNorm: lambda m: nn.GroupNorm(m.num_groups, epsilon=m.eps, scale=m.affine, shift=m.affine),
    t.InstanceNorm1d: lambda m: nn.InstanceNorm(epsilon=m.eps, scale=m.affine, shift=m.affine),
    t.InstanceNorm2d: lambda m: nn.InstanceNorm(epsilon=m.eps, scale=m.affine, shift=m.affine),
    t.Dropout: lambda m: nn.Dropout(m.p),
    t.Dropout1d: lambda m: nn.SpatialDropout(m.p),
    t.Dropout2d: lambda m: nn.SpatialDropout(m.p),
    t.AlphaDropout: lambda m: nn.AlphaDropout(m.p),
    t.Flatten: _flatten,
    t.MaxPool1d: _pool(nn.MaxPool),
    t.MaxPool2d: _pool(nn.MaxPool),
    t.AvgPool1d: _pool(nn.AvgPool),
    t.AvgPool2d: _pool(nn.AvgPool),
    t.AdaptiveAvgPool1d: _global(nn.GlobalAvgPool),
    t.AdaptiveAvgPool2d: _global(nn.GlobalAvgPool),
    t.AdaptiveMaxPool1d: _global(nn.GlobalMaxPool),
    t.AdaptiveMaxPool2d: _global(nn.GlobalMaxPool),
    t.Embedding: _embedding,
    t.RNN: _rnn,
    t.LSTM: _recurrent(nn.LSTM, forget_bias=0.0),
    t.GRU: _recurrent(nn.GRU),
    t.Identity: _plain(nn.Identity()),
    t.ReLU: _plain(nn.ReLU()),
    t.ReLU6: _plain(nn.ReLU6()),
    t.LeakyReLU: lambda m: nn.LeakyReLU(m.negative_slope),
    t.PReLU: lambda m: nn.PReLU(float(m.weight.detach().mean())),
    t.RReLU: lambda m: nn.RReLU(m.lower, m.upper),
    t.Tanh: _plain(nn.Tanh()),
    t.Sigmoid: _plain(nn.Sigmoid()),
    t.Softsign: _plain(nn.Softsign()),
    t.Hardsigmoid: _plain(nn.HardSigmoid()),
    t.Hardtanh: lambda m: nn.HardTanh() if (m.min_val, m.max_val) == (-1, 1) else None,
    t.ELU: lambda m: nn.ELU(m.alpha),
    t.CELU: lambda m: nn.CELU(m.alpha),
    t.SELU: _plain(nn.SELU()),
    t.GELU: lambda m: nn.GELU(m.approximate == "tanh"),
    t.SiLU: _plain(nn.SiLU()),
    t.Mish: _plain(nn.Mish()),
    t.Hardswish: _plain(nn.HardSwish()),
    t.Softplus: lambda m: nn.Softplus() if m.beta == 1 else None,
    t.Softmax: _softmax(nn.Softmax),
    t.LogSoftmax: _softmax(nn.LogSoftmax),
    t.GLU: lambda m: nn.GLU() if m.dim == -1 else None,
}
