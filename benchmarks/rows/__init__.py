"""The rows of the benchmark page, the most important first."""

from contest import Row
from rows import alone, attention, cold, fleets, imports, inference, lstm, mlp, mnist_cnn, resnet, vitals

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
    *alone.ROWS,
    *mlp.WITH_MORE,
    imports.ROW,
)
