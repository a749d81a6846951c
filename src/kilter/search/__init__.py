"""Search: the space that a recipe with distributions spans, and strategies that go through it."""

from kilter.search.dimension import Dimension, Need, Point
from kilter.search.space import Space

__all__ = ["Dimension", "Need", "Point", "Space"]
