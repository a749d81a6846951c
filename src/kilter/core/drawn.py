"""What may stand in place of a value until it is drawn: the contract that checks of fields and search spaces share."""

from typing import TYPE_CHECKING, Any


class Distribution:
    """Marks a value that stands for others. A field takes it wherever it would take all that it stands for."""

    if TYPE_CHECKING:

        def __new__(cls, *args: Any, **given: Any) -> Any:
            """Type checkers take a distribution for whatever the field is declared to be."""

    def ends(self) -> tuple[Any, ...]:
        """Values that it stands for, so many that where these are legal all are. A tuple among parts is several of them."""
        raise NotImplementedError


def is_open(value: Any) -> bool:
    """Whether a field's value is a distribution, or a tuple with one in it."""
    return isinstance(value, Distribution) or (isinstance(value, tuple | list) and any(map(is_open, value)))


def stand_ins(value: Any) -> list[Any]:
    """Values without distributions that are legal if and only if all are that ``value`` stands for."""
    if isinstance(value, Distribution):
        return [each for end in value.ends() for each in stand_ins(end)]
    if not is_open(value):
        return [value]
    choices = [stand_ins(item) for item in value]
    first = tuple(choice[0] for choice in choices)
    return [(*first[:i], each, *first[i + 1 :]) for i, choice in enumerate(choices) for each in choice]
