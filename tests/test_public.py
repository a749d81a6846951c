"""The public face: what importing costs and brings along, and that every public name is documented."""

import inspect
import subprocess
import sys

import pytest

import kilter as kl
from kilter import data, losses, metrics, nn, optim, strategies, vitals
from kilter.nn import activations, initializers

PACKAGES = (kl, data, losses, metrics, nn, optim, strategies, activations, initializers, vitals)


def public(module):
    """Classes and functions that a package offers, by their full name."""
    names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
    for name in names:
        member = getattr(module, name)
        if callable(member) and getattr(member, "__module__", "").startswith("kilter"):
            yield f"{module.__name__}.{name}", member


MEMBERS = sorted({name: member for module in PACKAGES for name, member in public(module)}.items())


@pytest.mark.parametrize(("name", "member"), MEMBERS, ids=[name for name, _ in MEMBERS])
def test_every_public_name_is_documented(name, member):
    assert inspect.getdoc(member), name
    assert len(inspect.getdoc(member).split("\n")[0]) > 10
    for attribute, method in vars(member).items() if inspect.isclass(member) else ():
        if inspect.isfunction(method) and not attribute.startswith("_"):
            assert inspect.getdoc(getattr(member, attribute)), f"{name}.{attribute}"


def test_importing_brings_no_heavy_or_optional_package_along():
    heavy = "sklearn pandas polars matplotlib skrub pyarrow torch keras optax typer scipy.stats scipy.special"
    heavy += " optuna rich ray"
    code = f"import sys, kilter; print([name for name in {heavy.split()} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_importing_runs_no_computation():
    code = "import kilter, jax; print(jax._src.xla_bridge.backends_are_initialized())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_families_list_what_the_packages_offer():
    for family, base in (
        (losses.ALL, losses.Loss),
        (metrics.ALL, metrics.Metric),
        (optim.ALL, optim.Optimizer),
        (activations.ALL, nn.Activation),
        (strategies.ALL, strategies.Strategy),
    ):
        assert len(set(family)) == len(family) > 1
        assert all(issubclass(kind, base) for kind in family)
