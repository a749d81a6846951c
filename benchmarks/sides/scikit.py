"""scikit-learn: `MLPClassifier` with the same settings, and its predictions for all rows at the end."""

import time

from sklearn.metrics import accuracy_score
from sklearn.neural_network import MLPClassifier

from contest import Side
from sides.job import RATE, Job


def scikit_learn(job: Job) -> Side:
    """Train with scikit-learn."""
    assert job.hidden is not None

    def train(seed: int) -> float:
        settings = {"batch_size": job.batch, "max_iter": job.epochs, "alpha": 0.0, "tol": 0.0}
        model = MLPClassifier(
            job.hidden, learning_rate_init=RATE, n_iter_no_change=job.epochs + 1, random_state=seed, **settings
        )
        start = time.perf_counter()
        model.fit(job.x, job.y)
        accuracy_score(job.y, model.predict(job.x))
        return time.perf_counter() - start

    return train
