"""Values are called as their fields say."""

import inspect
import pickle
from dataclasses import dataclass, fields
from dataclasses import replace as dataclass_replace
from typing import Any

import pytest

from kilter import nn, optim
from kilter.core.specs import option
from kilter.core.values import Value


def written(kind: Any) -> inspect.Signature:
    """The signature that `dataclasses` itself writes for the fields of a class."""
    body = {entry.name: entry for entry in fields(kind)}
    made = type(kind.__name__, (), {"__annotations__": {name: entry.type for name, entry in body.items()}, **body})
    return inspect.signature(dataclass(made))


@pytest.mark.parametrize("kind", [nn.Dense, nn.LSTM, nn.BatchNorm, optim.Adam, optim.LBFGS, nn.ReLU])
def test_a_value_is_called_as_a_dataclass_of_its_fields(kind: Any) -> None:
    own, theirs = inspect.signature(kind), written(kind)
    assert [(p.name, p.kind) for p in own.parameters.values()] == [(p.name, p.kind) for p in theirs.parameters.values()]
    required = [p.name for p in own.parameters.values() if p.default is p.empty]
    assert required == [p.name for p in theirs.parameters.values() if p.default is p.empty]


def test_a_constructor_of_its_own_keeps_its_signature() -> None:
    assert list(inspect.signature(nn.Chain).parameters) == ["layers"]


def test_a_value_that_is_called_has_the_signature_of_its_call() -> None:
    relu: Any = nn.ReLU()
    assert inspect.signature(relu) == inspect.signature(relu.__call__)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (nn.Dense, r"nn\.Dense: missing a required argument: 'units'"),
        (lambda: nn.Dense(3, unit=4), r"nn\.Dense: got an unexpected keyword argument 'unit'"),
        (lambda: nn.Dense(3, 1), r"nn\.Dense: too many positional arguments"),
        (lambda: nn.Dense(3, units=4), r"nn\.Dense: multiple values for argument 'units'"),
    ],
)
def test_a_wrong_call_is_named(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


def test_values_of_two_kinds_are_never_equal() -> None:
    assert nn.ReLU() != nn.Tanh()
    assert nn.ReLU() != "nn.ReLU()"
    assert optim.Adam(0.1) == optim.Adam(0.1) != optim.Adam(0.2)
    assert len({optim.Adam(0.1), optim.Adam(0.1), optim.Adam(0.2)}) == 2


def test_a_class_below_one_with_a_constructor_of_its_own_takes_its_fields() -> None:
    class Pair(Value):
        first: int = option(default=1)

        def __init__(self, *, both: int) -> None:
            self._fill({"first": both})

    class Triple(Pair):
        pass

    assert list(inspect.signature(Pair).parameters) == ["both"]
    assert list(inspect.signature(Triple).parameters) == ["first"]


def test_a_value_goes_through_pickle_and_the_tools_of_dataclasses() -> None:
    layer = nn.Dense(3)
    assert pickle.loads(pickle.dumps(layer)) == layer
    assert dataclass_replace(layer, units=4) == nn.Dense(4)
