"""Data sets that every installation has, because scikit-learn ships them."""

from typing import Any

from kilter.data.dataset import Dataset, Held, from_arrays


def digits(*, validation: Held = 0.2, test: Held = 0.2, seed: int = 0, images: bool = False) -> Dataset:
    """1797 handwritten digits of 8 x 8 pixels in ten classes; pixels from 0 to 1 (scikit-learn has 0 to 16).

    Args:
        validation: share held out to decide.
        test: share held out to measure.
        seed: of the split.
        images: give examples as ``(8, 8, 1)`` rather than ``(64,)``.
    """
    x, y, _ = _load("digits")
    x = x.reshape(-1, 8, 8, 1) if images else x
    return from_arrays(x / 16.0, y, validation=validation, test=test, seed=seed, title="digits")


def breast_cancer(*, validation: Held = 0.2, test: Held = 0.2, seed: int = 0) -> Dataset:
    """569 tumors by 30 measurements, benign or malignant; features as they are, on very different scales."""
    return _named("breast_cancer", validation, test, seed)


def wine(*, validation: Held = 0.2, test: Held = 0.2, seed: int = 0) -> Dataset:
    """178 wines by 13 chemical measurements, of three growers; features as they are, on very different scales."""
    return _named("wine", validation, test, seed)


def iris(*, validation: Held = 0.2, test: Held = 0.2, seed: int = 0) -> Dataset:
    """150 irises by 4 lengths in centimeters, of three species."""
    return _named("iris", validation, test, seed)


def diabetes(*, validation: Held = 0.2, test: Held = 0.2, seed: int = 0) -> Dataset:
    """442 patients by 10 measurements (standardized, over sqrt(442)); target: progression after a year, 25 to 346."""
    return _named("diabetes", validation, test, seed, "numbers")


def _named(name: str, validation: Held, test: Held, seed: int, task: str | None = None) -> Dataset:
    x, y, names = _load(name)
    if task is None:
        y = names[y]
    return from_arrays(x, y, validation=validation, test=test, seed=seed, task=task, title=name)


def _load(name: str) -> tuple[Any, Any, Any]:
    from sklearn import datasets  # scikit-learn takes a second to import, and only these sets need it

    bunch = getattr(datasets, f"load_{name}")()
    return bunch.data, bunch.target, getattr(bunch, "target_names", None)
