"""What guessing gets: the scores of the best prediction that looks at no input."""

import numpy as np

from kilter.data.dataset import Dataset
from kilter.metrics import for_task
from kilter.train.run import Run


def baselines(run: Run, data: Dataset) -> dict[str, float]:
    """Loss and metrics, by name, of predicting the training rows' class shares or mean on the rows held out."""
    part = data.test or data.validation or data.train
    if run.target.task == "classes":
        constant = np.bincount(data.train.y, minlength=len(run.classes)) / len(data.train)
    else:
        constant = data.train.y.mean(0)
    predictions = np.tile(constant, (len(part), 1))
    weights = np.ones(len(part))
    scores = {metric.key: float(metric(predictions, part.y, weights)) for metric in for_task(run.target.task)}
    return {"loss": run.recipe.loss.chance(run.targets.apply(data.train.y), data.classes)} | scores
