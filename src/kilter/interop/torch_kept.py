"""Rows that a watch has seen, up to some thousand, and how good a module is on them."""

import math

import numpy as np
import torch

from kilter.interop.judging import Judge, dataset
from kilter.interop.torch_rows import arrays
from kilter.losses import Loss

# Most rows, and most numbers in them.
_ROWS, _NUMBERS = 2048, 1 << 22


class Kept:
    """The first rows that came by."""

    def __init__(self) -> None:
        self._rows: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._outputs = 1

    def add(self, x: torch.Tensor, outputs: torch.Tensor, y: torch.Tensor) -> None:
        """Keep inputs and targets while there is room."""
        self._outputs = outputs.shape[1] if outputs.ndim > 1 else 1
        room = min(_ROWS, _NUMBERS // max(x[:1].numel(), 1)) - sum(len(rows) for rows, _ in self._rows)
        if room > 0:
            self._rows.append((x[:room].cpu().clone(), y[:room].cpu().clone()))

    def judge(self, loss: Loss | None, first: bool, title: str) -> Judge | None:
        """Tells good outputs from bad; None where nothing was kept that does.

        Args:
            loss: by which outputs are read.
            first: whether channels stand in front of positions.
            title: what to call the rows.
        """
        if not self._rows:
            return None
        x, y = (torch.cat(each) for each in zip(*self._rows, strict=True))
        data, _ = dataset(*arrays(x, y, first), self._outputs, loss, None, None, title)
        return None if data is None else Judge(data, loss)

    def score(self, module: torch.nn.Module, judge: Judge | None) -> float:
        """Score of a module as it is now; NaN where that cannot be told. Modes and random numbers stay as they are."""
        if judge is None:
            return math.nan
        device = next((each.device for each in module.parameters()), torch.device("cpu"))
        modes = {each: each.training for each in module.modules()}
        module.eval()
        try:
            with torch.no_grad(), torch.random.fork_rng():
                outputs = [module(x.to(device)).float().cpu().numpy() for x, _ in self._rows]
        finally:
            for each, training in modes.items():
                each.training = training
        return judge.score(np.concatenate(outputs), judge.data.train)
