"""Optimizers of Optax by name, for those that Kilter has not."""

import inspect
from typing import Any, ClassVar

import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.specs import number, option, part
from kilter.core.values import Value
from kilter.optim.optimizer import Optimizer, Tree
from kilter.optim.schedules import Schedule, value_at


class Setting(Value):
    """An argument of an Optax factory by name; see `FromOptax`."""

    home: ClassVar[str] = "optim"

    argument: str = option(kinds=str)
    value: Any = option(kinds=(bool, int, float, str))


class FromOptax(Optimizer):
    """``optax.<factory>(learning_rate=lr, **settings)``: any Optax optimizer that takes a learning rate.

    A transformation of Optax is a pair of closures, which neither prints, compares nor saves; its factory's name and
    arguments do. The learning rate is a leaf, as everywhere; the other settings are static, so that each value of them
    compiles anew. Schedules are Kilter's. Weight decay of Optax shrinks biases and norm scales too.

    Args:
        factory: name of a function of Optax, such as ``"adabelief"``.
        lr: learning rate, a number or a schedule.
        **settings: its other arguments: numbers, words, True or False.

    Raises:
        InputError: Optax is not installed, has no such factory, or the factory takes no such argument.

    >>> FromOptax("adabelief", 1e-3, b1=0.8)
    optim.FromOptax('adabelief', 0.001, optim.Setting('b1', 0.8))
    """

    formula: ClassVar[str] = "optax.<factory>(lr, **settings)"
    source: ClassVar[str] = "DeepMind 2020, the DeepMind JAX ecosystem (Optax)"
    choose: ClassVar[str] = "An optimizer of Optax that Kilter has not."

    factory: str = option(kinds=str)
    lr: float | Schedule = number(scale="log", search=(1e-5, 1.0), also=Schedule)
    settings: tuple[Setting, ...] = part(kinds=Setting, many=True)

    def __init__(self, factory: str, lr: Any, *settings: Setting, **named: Any) -> None:
        given = (*settings, *(Setting(name, value) for name, value in named.items()))
        self._fill({"factory": factory, "lr": lr, "settings": given})

    def _fill(self, given: dict[str, Any]) -> None:
        super()._fill(given)
        accepted = inspect.signature(_factory(self.factory)).parameters
        for name in ("learning_rate", *(setting.argument for setting in self.settings)):
            if name not in accepted:
                raise InputError(f"FromOptax({self.factory!r}): optax.{self.factory} takes no {name}")

    def rate(self, step: Any) -> Any:
        return value_at(self.lr, step)

    def init(self, params: Tree) -> Tree:
        return self._made(0).init(params)

    def update(self, grads: Tree, state: Tree, params: Tree, step: Any) -> tuple[Tree, Tree]:
        import optax  # optional; `_fill` has seen that it is there

        changes, state = self._made(step).update(grads, state, params)
        return optax.apply_updates(params, changes), state

    def _made(self, step: Any) -> Any:
        settings = {setting.argument: setting.value for setting in self.settings}
        return _factory(self.factory)(learning_rate=jnp.asarray(self.rate(step), jnp.float32), **settings)


def _factory(name: str) -> Any:
    # Optax is an optional package: `import kilter` must neither need nor load it.
    try:
        import optax
    except ImportError:
        raise InputError("FromOptax needs the package optax; install it with pip install optax") from None
    found = getattr(optax, name, None)
    if not inspect.isfunction(found):
        raise InputError(f"FromOptax({name!r}): optax has no optimizer of that name; 'adabelief' is one")
    return found
