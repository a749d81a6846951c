"""What the catalog tells of a part, beside the part itself."""

from typing import ClassVar

from kilter.core.values import Value


class Listed(Value, abstract=True):
    """Base of the families that the catalog lists; each member says three things of itself.

    Class attributes:
        formula: what it does, in one line.
        source: where it comes from: authors, year, and the place in the paper.
        choose: when it is the one to take.
    """

    formula: ClassVar[str] = ""
    source: ClassVar[str] = ""
    choose: ClassVar[str] = ""
