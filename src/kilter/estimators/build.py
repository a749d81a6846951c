"""From the parameters of an estimator to a recipe; here stands what ``"auto"`` means."""

from typing import Any

from kilter import data, nn, optim
from kilter.core.errors import InputError
from kilter.estimators import words
from kilter.losses import Loss
from kilter.recipes import weight_decay
from kilter.train import EarlyStopping, Recipe

# Updates and passes that are enough for tables of any size with a learning rate that falls to zero: small sets need the
# updates, large ones the passes.
_UPDATES, _PASSES = 2000, 20
SMALLEST_BATCH, _LARGEST_BATCH = 64, 512
_RATES = {"adam": 0.01, "sgd": 0.05}
# The output layer starts at zero, so that a network starts at what is right on average instead of at noise.
_BLANK = nn.initializers.Zeros()


def build(params: dict[str, Any], loss: Loss, outputs: int, sets: data.Dataset) -> Recipe:
    """The recipe that an estimator's parameters stand for.

    Args:
        params: as `get_params` gives them.
        loss: of the task.
        outputs: of the network.
        sets: to train on.

    Raises:
        InputError: a parameter that cannot be used.
    """
    if params["recipe"] is not None:
        return _own(params["recipe"], sets)
    rows = len(sets.train)
    batch = _auto(params, "batch_size", batch_size(rows))
    batch = min(batch, rows) if isinstance(batch, int) else batch
    epochs = _auto(params, "max_epochs", max_epochs(rows, batch))
    patience = _auto(params, "patience", max(10, _whole("max_epochs", epochs) // 10))
    return Recipe(
        network(params, outputs),
        loss,
        optimizer=optimizer(params, rows),
        batch_size=batch,
        epochs=epochs,
        inputs=data.Standardize(),
        targets=None if loss.takes == "logits" else data.Standardize(),
        stopping=EarlyStopping(patience) if params["early_stopping"] else None,
    )


def batch_size(rows: int) -> int:
    """A hundredth of the rows, from 64 to 512.

    >>> batch_size(150), batch_size(10_000), batch_size(10**6)
    (64, 100, 512)
    """
    return min(max(SMALLEST_BATCH, rows // 100), _LARGEST_BATCH)


def max_epochs(rows: int, batch: int) -> int:
    """Twenty passes, and more where these are fewer than two thousand updates.

    >>> max_epochs(150, 64), max_epochs(100_000, 512)
    (667, 20)
    """
    steps = -(-rows // max(1, _whole("batch_size", batch)))
    return max(_PASSES, -(-_UPDATES // steps))


def network(params: dict[str, Any], outputs: int) -> nn.Chain:
    """Dense layers, each with what is asked for behind it, and the output layer."""
    sizes = params["hidden_layer_sizes"]
    sizes = sizes if isinstance(sizes, tuple | list) else (sizes,)
    drawn = words.initializer(params["initializer"])
    layers: list[nn.Layer] = []
    for units in sizes:
        norm = words.normalization(params["normalization"])
        layers += [nn.Dense(units, bias=norm is None, initializer=drawn)]
        layers += [] if norm is None else [norm]
        layers += [words.activation(params["activation"])]
        layers += [] if params["dropout"] == 0 else [nn.Dropout(params["dropout"])]
    return nn.Chain(*layers, nn.Dense(outputs, initializer=drawn if drawn is not None or not sizes else _BLANK))


def optimizer(params: dict[str, Any], rows: int) -> optim.Optimizer:
    """The optimizer by its word, with learning rate, schedule and decay; a value is taken as it is."""
    given = params["optimizer"]
    if isinstance(given, optim.Optimizer):
        for name in ("learning_rate", "weight_decay"):
            if not _is_auto(params[name]):
                raise InputError(f"{name}={params[name]!r} says what {given!r} says itself; leave it at 'auto'")
        return given
    if not isinstance(given, str) or given not in _RATES:
        raise InputError(f"optimizer must be 'adam', 'sgd' or an optimizer of kl.optim, got {given!r}")
    rate = _scheduled(_auto(params, "learning_rate", _RATES[given]), params["schedule"])
    if given == "adam":
        return optim.Adam(rate, weight_decay=_auto(params, "weight_decay", weight_decay(rows)))
    if not _is_auto(params["weight_decay"]) and params["weight_decay"] != 0:
        raise InputError(f"weight_decay={params['weight_decay']!r} needs optimizer='adam', as SGD here has none")
    return optim.SGD(rate, momentum=0.9)


def _scheduled(rate: Any, schedule: Any) -> Any:
    if isinstance(rate, optim.Schedule):
        return rate
    if schedule not in ("cosine", "constant"):
        raise InputError(f"schedule must be 'cosine' or 'constant', got {schedule!r}; or give learning_rate a schedule")
    return optim.Cosine(rate) if schedule == "cosine" else rate


def _own(given: Any, sets: data.Dataset) -> Recipe:
    recipe = given(sets) if callable(given) else given
    if not isinstance(recipe, Recipe):
        raise InputError(f"recipe must be a kl.Recipe, a function that makes one of data, or None, got {given!r}")
    return recipe


def _is_auto(given: Any) -> bool:
    return isinstance(given, str) and given == "auto"


def _auto(params: dict[str, Any], name: str, default: Any) -> Any:
    return default if _is_auto(params[name]) else params[name]


def _whole(name: str, given: Any) -> int:
    """A number to count with before the recipe itself checks it."""
    try:
        return int(given)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a whole number or 'auto', got {given!r}") from None
