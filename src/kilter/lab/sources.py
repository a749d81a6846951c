"""Data of the experiments: sets that scikit-learn ships, by their names, with as few training rows as wanted."""

from dataclasses import replace

import numpy as np

from kilter.core.errors import InputError
from kilter.core.paths import nearest
from kilter.data import builtin
from kilter.data.dataset import Dataset, Part

_SETS = {each.__name__: each for each in (builtin.digits, builtin.iris, builtin.wine, builtin.breast_cancer)}


def dataset(name: str, seed: int, rows: int = 0, held: int = 0, wrong: float = 0.0) -> Dataset:
    """A set with training and validation rows, classes in their shares; no rows are both.

    Args:
        name: ``"digits"``, ``"iris"``, ``"wine"`` or ``"breast_cancer"``.
        seed: of the split.
        rows: to train on; 0: all that are not held out.
        held: validation rows; 0: all that are left, or a fifth where ``rows`` is 0, too.
        wrong: share of the training rows whose class is drawn anew from the other ones.

    Raises:
        InputError: there is no such set, it has fewer rows, or ``wrong`` is no share.
    """
    if name not in _SETS:
        raise InputError(f"there is no set {name!r}{nearest(name, _SETS)}; there are {', '.join(_SETS)}")
    total = len(_SETS[name](validation=0, test=0).train)
    held = held or (total - rows if rows else total // 5)
    rows = rows or total - held
    if min(rows, held) < 1 or rows + held > total:
        raise InputError(f"{name} has {total} rows, of which {rows} to train on and {held} to hold out were asked for")
    if not 0 <= wrong <= 1:
        raise InputError(f"wrong must be a share from 0 to 1, got {wrong!r}")
    rest = total - rows - held
    data = _SETS[name](validation=held / total, test=rest / total, seed=seed)
    return replace(data, train=_mistaken(data.train, data.classes, wrong, seed), test=None)


def _mistaken(part: Part, classes: int, share: float, seed: int) -> Part:
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(part))[: round(share * len(part))]
    y = part.y.copy()
    y[chosen] = (y[chosen] + rng.integers(1, classes, len(chosen))) % classes
    return replace(part, y=y)
