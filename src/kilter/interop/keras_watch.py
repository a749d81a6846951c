"""A watch on a Keras model while its user fits it."""

import math
import time
from typing import Any

import keras
import numpy as np

from kilter.doctor.chart import Chart
from kilter.interop.advice import Advised
from kilter.interop.judging import Judge
from kilter.interop.keras_examine import Asked, looked_at
from kilter.interop.keras_terms import TERMS
from kilter.interop.line import Line
from kilter.interop.review import course, reviewed
from kilter.interop.subject import facts
from kilter.vitals import Vitals


class Watch(keras.callbacks.Callback):
    """A callback that looks at a model in front of its training, takes down its losses, and says what it has seen.

    Keras has no hooks in its compiled steps, so the look is at the start; losses come at the end of every epoch. See
    `kilter.interop.keras.watch`.
    """

    def __init__(self, model: Any, x: Any, y: Any, asked: Asked) -> None:
        super().__init__()
        self._began = time.perf_counter()
        self._model, self._lines, self._rows = model, {"loss": Line(), "val_loss": Line()}, 0
        self._subject, self._data, self._start, self._x = looked_at(model, x, y, asked)
        self._updates = 0

    @property
    def vitals(self) -> Vitals:
        """What the look saw, ``(1, layers)``."""
        return self._start.vitals

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count updates."""
        self._updates += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Take down losses."""
        for name, line in self._lines.items():
            if logs is not None and name in logs:
                line.add(float(logs[name]))

    def checkup(self, *, compare: bool = True) -> Advised:
        """What the rules make of all that was seen so far; ``compare`` as for PyTorch's watch."""
        judge = None if self._data is None else Judge(self._data, self._subject.loss)
        score = math.nan
        if judge is not None and self._updates:
            outputs = keras.ops.convert_to_numpy(self._model(keras.ops.convert_to_tensor(self._x), training=False))
            score = judge.score(np.asarray(outputs), judge.data.train)
        lines = {name: line.bins for name, line in self._lines.items()}
        own = course(judge, lines, score, {}) if self._updates else None
        about = None if self._data is None else facts(self._data, self._subject.anatomy)
        chart = Chart(self._subject.design(1, None), about, self._start, course=own)
        settings = {"compare": compare and own is not None, "terms": TERMS, "began": self._began}
        return reviewed(self._subject, chart, self._data, self._updates, **settings)
