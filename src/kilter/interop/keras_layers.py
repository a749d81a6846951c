"""Keras's layers, losses and optimizers as Kilter's."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import activations, layers, losses, ops, optimizers, regularizers

from kilter import losses as own_losses
from kilter import nn, optim
from kilter.core.errors import InputError
from kilter.interop.drawn import drawn, drawn_bias
from kilter.losses import Loss
from kilter.nn.activations import Activation
from kilter.nn.layer import Layer
from kilter.optim import Optimizer

Array = np.ndarray[Any, Any]
_KERNELS = (layers.Dense, layers.Conv1D, layers.Conv2D)


def kernel(layer: Any) -> Array | None:
    """Weights of a dense or convolution layer ``(*window, in, out)``; None for other layers."""
    return array(layer.kernel) if type(layer) in _KERNELS and layer.built else None


def array(variable: Any) -> Array:
    """Copy of a variable's numbers."""
    return np.array(ops.convert_to_numpy(getattr(variable, "value", variable)))


def layer(given: Any) -> Layer | None:
    """The layer of Kilter that does what one of Keras does, its activation aside; None where there is none."""
    make = _LAYERS.get(type(given))
    if make is None or getattr(given, "data_format", "channels_last") != "channels_last":
        return None
    try:
        return make(given)
    except InputError:  # a setting that Kilter does not have
        return None


def activation(function: Any) -> Activation | None:
    """The activation of Kilter that does what a function does; None where there is none."""
    return _ACTIVATIONS.get(getattr(function, "__name__", ""))


def _weights(given: Any) -> dict[str, Any]:
    own = array(given.kernel)
    bias = array(given.bias) if given.use_bias else None
    made = {"bias": given.use_bias}
    if np.isfinite(own).all():
        made |= {"initializer": drawn(own), "bias_initializer": drawn_bias(bias, own.shape)}
    return made


def _conv(given: Any) -> Layer | None:
    if given.padding not in ("same", "valid"):
        return None
    return nn.Conv(
        given.filters,
        _one(given.kernel_size),
        stride=_one(given.strides),
        padding=given.padding,
        dilation=_one(given.dilation_rate),
        groups=given.groups,
        **_weights(given),
    )


def _one(sizes: Any) -> Any:
    """One number where all axes have the same."""
    each = tuple(int(size) for size in np.atleast_1d(sizes))
    return each[0] if len(set(each)) == 1 else each


def _pool(kind: Any) -> Callable[[Any], Layer]:
    return lambda given: kind(_one(given.pool_size), _one(given.strides), padding=given.padding)


def _batch_norm(given: Any) -> Layer | None:
    if given.axis not in (-1, len(given.input_spec.axes or ()) - 1) and given.axis != given.input_spec.ndim - 1:
        return None
    return nn.BatchNorm(given.momentum, given.epsilon, scale=given.scale, shift=given.center)


def _layer_norm(given: Any) -> Layer | None:
    last = given.axis in (-1, [-1])
    return nn.LayerNorm(epsilon=given.epsilon, scale=given.scale, shift=given.center) if last else None


def _recurrent(kind: Any, **more: Any) -> Callable[[Any], Layer | None]:
    def make(given: Any) -> Layer | None:
        own = activation(given.activation)
        if own is None or given.stateful or given.return_state:
            return None
        return kind(
            given.units,
            sequences=given.return_sequences,
            reverse=given.go_backwards,
            activation=own,
            bias=given.use_bias,
            **more,
        )

    return make


_LAYERS: dict[type, Callable[[Any], Layer | None]] = {
    layers.Dense: lambda g: nn.Dense(g.units, **_weights(g)),
    layers.Conv1D: _conv,
    layers.Conv2D: _conv,
    layers.BatchNormalization: _batch_norm,
    layers.LayerNormalization: _layer_norm,
    layers.GroupNormalization: lambda g: nn.GroupNorm(g.groups, epsilon=g.epsilon, scale=g.scale, shift=g.center),
    layers.Dropout: lambda g: nn.Dropout(g.rate),
    layers.SpatialDropout1D: lambda g: nn.SpatialDropout(g.rate),
    layers.SpatialDropout2D: lambda g: nn.SpatialDropout(g.rate),
    layers.GaussianDropout: lambda g: nn.GaussianDropout(g.rate),
    layers.AlphaDropout: lambda g: nn.AlphaDropout(g.rate),
    layers.Flatten: lambda g: nn.Flatten(),
    layers.MaxPooling1D: _pool(nn.MaxPool),
    layers.MaxPooling2D: _pool(nn.MaxPool),
    layers.AveragePooling1D: _pool(nn.AvgPool),
    layers.AveragePooling2D: _pool(nn.AvgPool),
    layers.GlobalAveragePooling1D: lambda g: None if g.keepdims else nn.GlobalAvgPool(),
    layers.GlobalAveragePooling2D: lambda g: None if g.keepdims else nn.GlobalAvgPool(),
    layers.GlobalMaxPooling1D: lambda g: None if g.keepdims else nn.GlobalMaxPool(),
    layers.GlobalMaxPooling2D: lambda g: None if g.keepdims else nn.GlobalMaxPool(),
    layers.Embedding: lambda g: nn.Embedding(g.input_dim, g.output_dim, initializer=drawn(array(g.embeddings))),
    layers.SimpleRNN: _recurrent(nn.SimpleRNN),
    layers.LSTM: _recurrent(nn.LSTM),
    layers.GRU: _recurrent(nn.GRU),
    layers.Activation: lambda g: activation(g.activation),
    layers.ReLU: lambda g: nn.ReLU() if (g.max_value, g.negative_slope, g.threshold) == (None, 0, 0) else None,
    layers.LeakyReLU: lambda g: nn.LeakyReLU(g.negative_slope),
    layers.ELU: lambda g: nn.ELU(g.alpha),
    layers.Softmax: lambda g: nn.Softmax() if g.axis == -1 else None,
    layers.Identity: lambda g: nn.Identity(),
}
_ACTIVATIONS: dict[str, Activation] = {
    "linear": nn.Identity(),
    "relu": nn.ReLU(),
    "relu6": nn.ReLU6(),
    "leaky_relu": nn.LeakyReLU(0.2),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
    "hard_sigmoid": nn.HardSigmoid(),
    "hard_tanh": nn.HardTanh(),
    "softsign": nn.Softsign(),
    "elu": nn.ELU(),
    "celu": nn.CELU(),
    "selu": nn.SELU(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "hard_silu": nn.HardSwish(),
    "softplus": nn.Softplus(),
    "exponential": nn.Exponential(),
    "softmax": nn.Softmax(),
    "log_softmax": nn.LogSoftmax(),
}


def is_linear(function: Any) -> bool:
    """Whether an activation does nothing."""
    return function is None or function is activations.linear


def loss(given: Any) -> Loss | None:
    """The loss of Kilter that a loss of Keras is; None where there is none."""
    settings = given.get_config() if isinstance(given, losses.Loss) else {}
    name = (
        type(given).__name__
        if settings
        else "".join(part.capitalize() for part in getattr(given, "__name__", "").split("_"))
    )
    logits, smoothing = settings.get("from_logits", False), float(settings.get("label_smoothing", 0.0))
    if name in ("SparseCategoricalCrossentropy", "CategoricalCrossentropy"):
        return own_losses.SoftmaxCrossEntropy(smoothing) if logits else own_losses.CategoricalCrossEntropy()
    if name == "BinaryCrossentropy":
        return own_losses.SigmoidCrossEntropy(smoothing) if logits else own_losses.BinaryCrossEntropy()
    if name == "Huber":
        return own_losses.Huber(settings.get("delta", 1.0))
    return {"MeanSquaredError": own_losses.SquaredError(), "MeanAbsoluteError": own_losses.AbsoluteError()}.get(name)


def optimizer(given: Any) -> Optimizer | None:
    """The optimizer of Kilter that one of Keras is, at its present rate; None where there is none."""
    make = _OPTIMIZERS.get(type(given))
    try:
        return None if make is None else make(rate(given), given)
    except InputError:
        return None


def rate(given: Any) -> float:
    """Learning rate of the next update."""
    return float(array(given.learning_rate))


def decay(given: Any, model: Any) -> tuple[float, float]:
    """Strength of the pull on the weights: by the optimizer, and by regularizers of kernels (Keras's L2 has no 1/2)."""
    own = [getattr(each, "kernel_regularizer", None) for each in model._flatten_layers()]
    strengths = [2 * float(each.l2) for each in own if isinstance(each, regularizers.L2 | regularizers.L1L2)]
    return float(given.weight_decay or 0.0), max(strengths, default=0.0)


def _adam(kind: Any) -> Callable[[float, Any], Optimizer]:
    def make(lr: float, g: Any) -> Optimizer:
        more = {"weight_decay": float(g.weight_decay or 0.0)} if "weight_decay" in kind._specs else {}
        return kind(lr, b1=float(g.beta_1), b2=float(g.beta_2), epsilon=float(g.epsilon), **more)

    return make


_OPTIMIZERS: dict[type, Callable[[float, Any], Optimizer]] = {
    optimizers.SGD: lambda lr, g: optim.SGD(lr, momentum=float(g.momentum), nesterov=bool(g.nesterov)),
    optimizers.Adam: _adam(optim.Adam),
    optimizers.AdamW: _adam(optim.AdamW),
    optimizers.Nadam: _adam(optim.Nadam),
    optimizers.Adamax: _adam(optim.Adamax),
    optimizers.RMSprop: lambda lr, g: optim.RMSProp(
        lr, decay=float(g.rho), momentum=float(g.momentum), epsilon=float(g.epsilon), centered=bool(g.centered)
    ),
    optimizers.Adagrad: lambda lr, g: optim.AdaGrad(
        lr, initial=float(g.initial_accumulator_value), epsilon=float(g.epsilon)
    ),
}
