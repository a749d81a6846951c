"""The rows of the benchmark page, the most important first."""

from importlib.util import find_spec

from contest import Row
from rows import attention, cold, fleets, imports, inference, lstm, mlp, mnist_cnn, resnet, vitals


def parts_alone() -> tuple[Row, ...]:
    """Those of `layers.py`, where it lies beside the page."""
    if find_spec("layer_cases") is None:
        return ()
    from rows import alone

    return alone.ROWS


ALL: tuple[Row, ...] = (
    *mlp.FIRST,
    mnist_cnn.ROW,
    *lstm.ROWS,
    *inference.ROWS,
    *cold.ROWS,
    resnet.ROW,
    *mlp.OTHER_SIZES,
    *vitals.ROWS,
    attention.ROW,
    *fleets.ROWS,
    *parts_alone(),
    *mlp.WITH_MORE,
    imports.ROW,
)
