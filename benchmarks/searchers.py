"""The contestants of `search.py`: one search each, as users of the library write it, in a process of its own.

    python benchmarks/searchers.py optuna '{"file": "digits.npz", "trials": 16, "epochs": 20, "batch": 32, "seed": 0}'

prints one line of JSON: the best validation accuracy, when the search began (seconds since 1970: all imports are done and
the data is loaded), with what processor seconds, and what else there is to tell.

All draw from one space: width, the same in all hidden layers; their number; activation; dropout behind each; learning rate;
weight decay, as a penalty on the squares of the weights; and the optimizer. A library is imported where it is used, so that
a process pays for its own alone.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

WIDTHS = (32, 64, 128, 256)
DEPTHS = (1, 3)
ACTIVATIONS = ("relu", "tanh", "sigmoid")
OPTIMIZERS = ("adam", "sgd", "rmsprop")
DROPOUT = (0.0, 0.5)
LR = (1e-4, 1e-1)
DECAY = (1e-6, 1e-2)
MOMENTUM = 0.9
PROCESSES = 2


@dataclass(frozen=True)
class Task:
    """What to search on: a file with the split, number of trials, and what is the same in all of them."""

    file: str
    trials: int
    epochs: int
    batch: int
    seed: int

    def rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Inputs and classes to train on, inputs and classes to validate."""
        with np.load(self.file) as file:
            return file["x"], file["y"], file["x_held"], file["y_held"]


Told = dict[str, Any]


def begun() -> Told:
    """The moment at which a search begins, and the processor seconds spent before."""
    return {"began": time.time(), "processor": time.process_time()}


def kilter(task: Task, *, random: bool = False) -> Told:
    """`kl.search` with its own choice of strategy, or at random; tells what it compiled besides."""
    import jax

    import kilter as kl
    from kilter import losses, nn, optim

    x, y, *held = task.rows()
    data = kl.data.from_arrays(x, y, validation=tuple(held))
    lr = kl.shared("lr", kl.LogUniform(*LR))
    block = nn.Chain(
        nn.Dense(kl.shared("width", kl.Choice(*WIDTHS))),
        kl.shared("activation", kl.Choice(nn.ReLU(), nn.Tanh(), nn.Sigmoid())),
        nn.Dropout(kl.shared("dropout", kl.Uniform(*DROPOUT))),
    )
    space = kl.Recipe(
        nn.Chain(kl.shared("depth", kl.Repeat(block, *DEPTHS)), nn.Dense(data.classes)),
        losses.SoftmaxCrossEntropy(),
        optimizer=kl.shared(
            "optimizer", kl.Choice(optim.Adam(lr), optim.SGD(lr, momentum=MOMENTUM), optim.RMSProp(lr))
        ),
        penalty=losses.L2(kl.shared("weight_decay", kl.LogUniform(*DECAY))),
        batch_size=task.batch,
        epochs=task.epochs,
    )
    spent: dict[str, list[float]] = defaultdict(list)
    jax.monitoring.register_event_duration_secs_listener(lambda name, seconds, **_: spent[name].append(seconds))
    began = begun()
    strategy = kl.strategies.Random() if random else None
    study = kl.search(space, data, trials=task.trials, strategy=strategy, seed=task.seed, progress=False)
    built = {
        tuple(trial.point[name] for name in ("width", "depth", "activation", "optimizer")) for trial in study.records
    }
    compiles = [seconds for name, all in spent.items() if name.startswith("/jax/core/compile/") for seconds in all]
    programs = len(spent["/jax/core/compile/backend_compile_duration"])
    extra = {"structures": len(built), "programs": programs, "compiling": sum(compiles)}
    return {"best": study.best.score, **began, **extra}


def kilter_random(task: Task) -> Told:
    """The same with `strategies.Random`."""
    return kilter(task, random=True)


def optuna(task: Task) -> Told:
    """Optuna's TPE and PyTorch in two processes of one thread, with a journal file as the storage that they share."""
    import multiprocessing

    import optuna
    import torch  # noqa: F401 (once here rather than once in each process)
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rows = task.rows()
    began = begun()
    with TemporaryDirectory() as folder:
        storage = JournalStorage(JournalFileBackend(str(Path(folder) / "journal")))
        study = optuna.create_study(study_name="search", storage=storage, direction="maximize")
        shares = [len(part) for part in np.array_split(np.arange(task.trials), PROCESSES)]
        workers = [
            multiprocessing.Process(target=_optuna_worker, args=(storage, task, rows, place, share))
            for place, share in enumerate(shares)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert all(worker.exitcode == 0 for worker in workers)
        return {"best": study.best_value, **began}


def _optuna_worker(storage: Any, task: Task, rows: Any, place: int, trials: int) -> None:
    import optuna
    import torch

    torch.set_num_threads(1)
    sampler = optuna.samplers.TPESampler(seed=PROCESSES * task.seed + place, constant_liar=True)
    study = optuna.load_study(study_name="search", storage=storage, sampler=sampler)
    tensors = [torch.from_numpy(each) for each in rows]
    study.optimize(lambda trial: _torch_trial(trial, task, *tensors), n_trials=trials)


def _torch_trial(trial: Any, task: Task, x: Any, y: Any, x_held: Any, y_held: Any) -> float:
    """Validation accuracy of the best epoch; rows in memory, indexed by a permutation."""
    import torch

    torch.manual_seed(trial.number)
    net = _torch_net(trial, x.shape[1], int(y.max()) + 1)
    lr, decay = trial.suggest_float("lr", *LR, log=True), trial.suggest_float("weight_decay", *DECAY, log=True)
    make = {
        "adam": torch.optim.Adam,
        "sgd": lambda *args, **given: torch.optim.SGD(*args, momentum=MOMENTUM, **given),
        "rmsprop": torch.optim.RMSprop,
    }[trial.suggest_categorical("optimizer", OPTIMIZERS)]
    optimizer, loss = make(net.parameters(), lr=lr, weight_decay=decay), torch.nn.CrossEntropyLoss()
    best = 0.0
    for _ in range(task.epochs):
        net.train()
        for rows in torch.randperm(len(x)).split(task.batch):
            optimizer.zero_grad()
            loss(net(x[rows]), y[rows]).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            best = max(best, (net(x_held).argmax(1) == y_held).float().mean().item())
    return best


def _torch_net(trial: Any, inputs: int, classes: int) -> Any:
    from torch import nn

    width, depth = trial.suggest_categorical("width", WIDTHS), trial.suggest_int("depth", *DEPTHS)
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}[
        trial.suggest_categorical("activation", ACTIVATIONS)
    ]
    dropout = trial.suggest_float("dropout", *DROPOUT)
    layers: list[Any] = []
    for place in range(depth):
        layers += [nn.Linear(width if place else inputs, width), activation(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(width, classes))


def sklearn(task: Task) -> Told:
    """RandomizedSearchCV over MLPClassifier with the same split; it has no dropout, no RMSProp and keeps the last epoch."""
    from scipy.stats import loguniform
    from sklearn.model_selection import PredefinedSplit, RandomizedSearchCV
    from sklearn.neural_network import MLPClassifier

    x, y, x_held, y_held = task.rows()
    split = PredefinedSplit([-1] * len(x) + [0] * len(x_held))
    space = {
        "hidden_layer_sizes": [(width,) * depth for width in WIDTHS for depth in range(DEPTHS[0], DEPTHS[1] + 1)],
        "activation": ["relu", "tanh", "logistic"],
        "solver": ["adam", "sgd"],
        "learning_rate_init": loguniform(*LR),
        # scikit-learn divides alpha by the rows of a batch.
        "alpha": loguniform(*(task.batch * end for end in DECAY)),
    }
    model = MLPClassifier(
        batch_size=task.batch,
        max_iter=task.epochs,
        n_iter_no_change=task.epochs + 1,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        random_state=task.seed,
    )
    search = RandomizedSearchCV(
        model, space, n_iter=task.trials, cv=split, refit=False, n_jobs=PROCESSES, random_state=task.seed
    )
    began = begun()
    search.fit(np.concatenate([x, x_held]), np.concatenate([y, y_held]))
    return {"best": float(np.nanmax(search.cv_results_["mean_test_score"])), **began}


def keras(task: Task) -> Told:
    """KerasTuner's RandomSearch, on the backend that KERAS_BACKEND names; its best epoch counts."""
    import keras
    import keras_tuner

    x, y, *held = task.rows()

    def build(hp: Any) -> Any:
        width, activation = hp.Choice("width", WIDTHS), hp.Choice("activation", ACTIVATIONS)
        # Keras's L2 has no 1/2.
        penalty = keras.regularizers.L2(hp.Float("weight_decay", *DECAY, sampling="log") / 2)
        dropout = hp.Float("dropout", *DROPOUT)
        net = keras.Sequential([keras.Input((x.shape[1],))])
        for _ in range(hp.Int("depth", *DEPTHS)):
            net.add(keras.layers.Dense(width, activation, kernel_regularizer=penalty))
            net.add(keras.layers.Dropout(dropout))
        net.add(keras.layers.Dense(int(y.max()) + 1, kernel_regularizer=penalty))
        lr, chosen = hp.Float("lr", *LR, sampling="log"), hp.Choice("optimizer", OPTIMIZERS)
        optimizer = {
            "adam": keras.optimizers.Adam,
            "sgd": lambda lr: keras.optimizers.SGD(lr, momentum=MOMENTUM),
            "rmsprop": keras.optimizers.RMSprop,
        }[chosen](lr)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        net.compile(optimizer, loss, metrics=["accuracy"])
        return net

    began = begun()
    with TemporaryDirectory() as folder:
        tuner = keras_tuner.RandomSearch(
            build, "val_accuracy", max_trials=task.trials, seed=task.seed, directory=folder, project_name="search"
        )
        tuner.search(x, y, validation_data=tuple(held), epochs=task.epochs, batch_size=task.batch, verbose=0)
        return {"best": tuner.oracle.get_best_trials(1)[0].score, **began}


PEERS: dict[str, Callable[[Task], Told]] = {
    each.__name__: each for each in (kilter, kilter_random, optuna, sklearn, keras)
}

if __name__ == "__main__":
    print(json.dumps(PEERS[sys.argv[1]](Task(**json.loads(sys.argv[2])))))
