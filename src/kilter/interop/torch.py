"""PyTorch: `examine` any module, `watch` one in a loop of one's own, `to_recipe` for one of known layers."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.interop.advice import Advised
from kilter.train.recipe import Recipe

if TYPE_CHECKING:
    from kilter.interop.torch_watch import Watch


def is_module(value: Any) -> bool:
    """Whether a value is a PyTorch module; PyTorch is not imported for it.

    >>> is_module(3)
    False
    """
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def examine(
    module: Any,
    loss: Callable[..., Any],
    loader: Any,
    *,
    optimizer: Any = None,
    validation: Any = None,
    epochs: int | None = None,
    seed: int = 0,
) -> Advised:
    """Say whether the training of a PyTorch module is healthy, what is wrong with it and where, and what helps.

    The module is copied; the original, its gradients, its hooks and all random numbers stay as they are. The copy is seen
    through hooks on a batch, then trained for a while on the first rows of the loader. A module that is made of known
    layers is compared with an ordinary network of its size; of others it is only said what is clearly wrong.

    Args:
        module: best untrained, since its start is looked at. It gets a batch of inputs and gives one tensor of outputs.
        loss: module or function of outputs and targets.
        loader: gives pairs of inputs and targets; at most some thousand rows are taken.
        optimizer: of the module's parameters, or a function that makes one of parameters; left open, Adam as it comes.
        validation: the same as loader for rows that decide; left open, a fifth of the rows.
        epochs: passes over the rows that are meant; left open, as many as make some hundred updates.
        seed: of random numbers.

    Raises:
        InputError: something cannot be used, in one sentence: a loader that raises, a loss that does not fit.

    >>> import torch
    >>> x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    >>> rows = torch.utils.data.TensorDataset(x, (x[:, 0] > 0).long())
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Softmax(1))
    >>> check = examine(net, torch.nn.CrossEntropyLoss(), torch.utils.data.DataLoader(rows, 20))
    >>> str(check.cause), check.advice[0][0]
    ('double_softmax', 'nn.CrossEntropyLoss() on the last nn.Linear, no softmax')
    """
    _needed(module)
    from kilter.interop import torch_examine

    return torch_examine.examine(
        module, loss, loader, optimizer=optimizer, validation=validation, epochs=epochs, seed=seed
    )


def to_recipe(
    module: Any,
    loss: Callable[..., Any],
    loader: Any,
    *,
    optimizer: Any = None,
    validation: Any = None,
    epochs: int | None = None,
    seed: int = 0,
) -> tuple[Recipe, Dataset]:
    """A module with its loss and optimizer as a recipe, and rows of the loader as data, so that remedies can be proved.

    Weights are not carried over: layers get the initializers that their weights tell of. Images come out channels last.

    Args:
        module: as for `examine`, as are all others.
        loss: likewise.
        loader: likewise.
        optimizer: likewise.
        validation: likewise.
        epochs: likewise.
        seed: likewise.

    Raises:
        InputError: Kilter has no such layer, loss or optimizer; names it.
    """
    _needed(module)
    from kilter.interop import torch_examine

    return torch_examine.to_recipe(
        module, loss, loader, optimizer=optimizer, validation=validation, epochs=epochs, seed=seed
    )


def watch(module: Any, optimizer: Any = None, loss: Any = None, *, every: int = 50, warn: bool = True) -> "Watch":
    """Watch a module in a training loop of one's own; see `kilter.interop.torch_watch.Watch`.

    Args:
        module: that is trained.
        optimizer: that trains it.
        loss: a module that is called with outputs and targets; left open, tell losses by ``watch.loss(value)``.
        every: updates from one look to the next; between looks almost nothing is done.
        warn: whether what is surely wrong is said by a warning when it is seen.
    """
    _needed(module)
    from kilter.interop import torch_watch

    return torch_watch.Watch(module, optimizer, loss, every=every, warn=warn)


def _needed(module: Any) -> None:
    try:
        import torch
    except ImportError:
        raise InputError("PyTorch is needed for this: pip install kilter[torch]") from None
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"module must be a torch.nn.Module, got a {type(module).__name__}")
