"""``kl.search`` is a function, and what it takes as a runner stands under its name: ``kl.search.Ray``."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar, cast

from kilter.search import over_ray

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Offering(Protocol[P, R_co]):
    """A function with the runners as attributes, as type checkers see it.

    Attributes:
        Ray: trains on the nodes of a Ray cluster.
    """

    Ray: type[over_ray.Ray]

    def __call__(self, *args: P.args, **given: P.kwargs) -> R_co: ...


def offering(function: Callable[P, R_co]) -> Offering[P, R_co]:
    """The same function, with the runners as attributes."""
    vars(function)["Ray"] = over_ray.Ray
    return cast("Offering[P, R_co]", function)
