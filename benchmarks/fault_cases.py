"""Faulty and healthy trainings from published collections, in Kilter's parts."""

import json
from pathlib import Path
from typing import Any

import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from kilter.data.dataset import Dataset

FOLDER = Path(__file__).parents[2] / "shared" / "data"
TASKS = {"binary": "classes", "multi": "classes", "multilabel": "labels", "bits": "labels", "reg": "numbers"}
ACTIVATIONS = {
    "relu": [nn.ReLU()], "leaky_relu": [nn.LeakyReLU()], "elu": [nn.ELU()], "selu": [nn.SELU()], "gelu": [nn.GELU()],
    "swish": [nn.SiLU()], "softplus": [nn.Softplus()], "tanh": [nn.Tanh()], "sigmoid": [nn.Sigmoid()],
    "hard_sigmoid": [nn.HardSigmoid()], "softsign": [nn.Softsign()], "exponential": [nn.Exponential()],
    "softmax": [nn.Softmax()], "double_softmax": [nn.Softmax(), nn.Softmax()], "linear": [],
}  # fmt: skip
LOSSES = {
    "categorical_crossentropy": losses.CategoricalCrossEntropy, "binary_crossentropy": losses.BinaryCrossEntropy,
    "mean_squared_error": losses.SquaredError, "mean_absolute_error": losses.AbsoluteError,
}  # fmt: skip


def cases(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """All trainings, as they are described."""
    return json.loads((folder / "faults.json").read_text())["cases"]


def data_of(case: dict[str, Any], folder: Path = FOLDER) -> Dataset:
    """The rows of a training."""
    name = case["data"]["name"]
    arrays = np.load(folder / "faults" / f"{name}.npz")
    held = (arrays["x_val"], arrays["y_val"])
    return kl.data.from_arrays(arrays["x"], arrays["y"], validation=held, task=TASKS[str(arrays["task"])], title=name)


def recipe_of(case: dict[str, Any]) -> kl.Recipe:
    """The recipe of a training."""
    net = nn.Chain(*(layer for entry in case["layers"] for layer in _layers(entry)))
    return kl.Recipe(
        net,
        LOSSES[case["loss"]](),
        optimizer=_optimizer(dict(case["optimizer"])),
        batch_size=case["batch_size"],
        epochs=case["epochs"],
        penalty=losses.L2(2 * case["l2"]) if case["l2"] else None,
    )


def mended(case: dict[str, Any]) -> dict[str, Any]:
    """The training with its known fix."""
    return case | (case["known_fix"] or {}).get("patch", {})


def _layers(entry: dict[str, Any]) -> list[nn.Layer]:
    if entry["type"] == "dropout":
        return [nn.Dropout(entry["rate"])]
    if entry["type"] == "batchnorm":
        return [nn.BatchNorm()]
    if entry["type"] == "activation":
        return ACTIVATIONS[entry["activation"]]
    settings = {"bias": entry.get("use_bias", True), "initializer": _initializer(entry["kernel_init"])}
    if "bias_init" in entry:
        settings["bias_initializer"] = _initializer(entry["bias_init"])
    return [nn.Dense(entry["units"], **settings), *ACTIVATIONS[entry.get("activation", "linear")]]


def _initializer(name: str) -> nn.initializers.Initializer:
    kind, _, number = name.rpartition("_")
    made = {
        "uniform": nn.initializers.Uniform, "normal": nn.initializers.Normal, "const": nn.initializers.Constant,
    }  # fmt: skip
    if kind in made:
        return made[kind](float(number))
    named = {
        "he_uniform": nn.initializers.HeUniform, "he_normal": nn.initializers.HeNormal,
        "glorot_uniform": nn.initializers.GlorotUniform, "glorot_normal": nn.initializers.GlorotNormal,
        "lecun_normal": nn.initializers.LeCunNormal, "lecun_uniform": nn.initializers.LeCunUniform,
        "orthogonal": nn.initializers.Orthogonal, "zeros": nn.initializers.Zeros,
        "ones": lambda: nn.initializers.Constant(1.0),
    }  # fmt: skip
    return named[name]()


def _optimizer(given: dict[str, Any]) -> optim.Optimizer:
    name, lr = given.pop("name"), given.pop("lr")
    if name == "rmsprop":
        return optim.RMSProp(lr, decay=given.get("rho", 0.9))
    if name == "sgd":
        return optim.SGD(lr, momentum=given.get("momentum", 0.0), nesterov=given.get("nesterov", False))
    kinds = {"adam": optim.Adam, "adagrad": optim.AdaGrad, "adadelta": optim.Adadelta, "nadam": optim.Nadam}
    return kinds[name](lr)
