"""One door to all examinations and cures: of recipes, of PyTorch modules and of Keras models."""

from typing import Any

from kilter import doctor
from kilter.core.errors import InputError
from kilter.doctor import Checkup, Cure
from kilter.interop import keras, torch
from kilter.train.recipe import Recipe
from kilter.train.run import Run


def examine(subject: Any, *args: Any, **settings: Any) -> Checkup:
    """Say whether a training is healthy, and what is wrong with it and where.

    A recipe with its data (`kilter.doctor.examine`), a PyTorch module with its loss and loader
    (`kilter.interop.torch.examine`), or a Keras model with its rows (`kilter.interop.keras.examine`).

    Args:
        subject: recipe, run, module or model.
        args: what goes with it.
        settings: of that examination.

    Raises:
        InputError: something cannot be used, in one sentence.

    >>> import kilter as kl
    >>> from kilter import nn, optim, losses
    >>> recipe = kl.Recipe(nn.Dense(3), losses.SoftmaxCrossEntropy(), optimizer=optim.SGD(-0.1), epochs=2)
    >>> examine(recipe, kl.data.iris()).verdict
    'findings'
    """
    if torch.is_module(subject):
        return torch.examine(subject, *args, **settings)
    if keras.is_model(subject):
        return keras.examine(subject, *args, **settings)
    if isinstance(subject, Recipe | Run):
        return doctor.examine(subject, *args, **settings)
    raise InputError(
        f"examine takes a kl.Recipe, a run, a torch.nn.Module or a keras.Model, got a {type(subject).__name__}"
    )


def cure(subject: Any, *args: Any, **settings: Any) -> Cure:
    """Find out what helps a training by trying it, and prove it.

    A recipe with its data (`kilter.doctor.cure`), or what `kilter.interop.torch.to_recipe` and
    `kilter.interop.keras.to_recipe` can translate: a PyTorch module with its loss and loader, a Keras model with its rows.

    Args:
        subject: recipe, run, module or model.
        args: what goes with it.
        settings: of `kilter.doctor.cure` (``seeds``, ``budget``, ``checkup``, ``log``, ``progress``), and of the
            translation.

    Raises:
        InputError: something cannot be used or translated, in one sentence.
    """
    own = {name: settings.pop(name) for name in ("seeds", "budget", "checkup", "log", "progress") if name in settings}
    if torch.is_module(subject):
        return doctor.cure(*torch.to_recipe(subject, *args, **settings), **own)
    if keras.is_model(subject):
        return doctor.cure(*keras.to_recipe(subject, *args, **settings), **own)
    if isinstance(subject, Recipe | Run):
        return doctor.cure(subject, *args, **settings, **own)
    raise InputError(
        f"cure takes a kl.Recipe, a run, a torch.nn.Module or a keras.Model, got a {type(subject).__name__}"
    )
