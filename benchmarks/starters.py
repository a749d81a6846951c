"""What `kilter fit TABLE --epochs 1` does, in scikit-learn and in Keras: `rows/cold.py` times each as a process of its own.

Read a table, hold rows out, standardize by the training rows, train one epoch of two hidden layers of 64 with Adam in
batches of 32, score the rows held out, and keep the model.

    python benchmarks/starters.py sklearn TABLE.csv FOLDER
"""

import sys
from pathlib import Path

UNITS, BATCH = 64, 32
# The file that says that the epoch has ended.
EPOCH = "epoch"


def split(table: Path):
    """Standardized training and validation rows of a table with the column ``target``."""
    import pandas as pd
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import LabelEncoder, StandardScaler

    frame = pd.read_csv(table)
    y = LabelEncoder().fit_transform(frame.pop("target"))
    x, held, y, y_held = train_test_split(frame.to_numpy("float32"), y, test_size=0.4, random_state=0)
    scaler = StandardScaler().fit(x)
    return scaler.transform(x), y, scaler.transform(held), y_held


def tell(folder: Path) -> None:
    """Say that the epoch has ended."""
    (folder / EPOCH).touch()


def sklearn(table: Path, folder: Path) -> None:
    """scikit-learn."""
    import warnings

    import joblib
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    x, y, held, y_held = split(table)
    model = MLPClassifier((UNITS, UNITS), batch_size=BATCH, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y)
    tell(folder)
    print(model.score(held, y_held))
    joblib.dump(model, folder / "model.joblib")


def keras(table: Path, folder: Path) -> None:
    """Keras."""
    from keras import Sequential, callbacks, layers

    x, y, held, y_held = split(table)
    dense = [layers.Dense(UNITS, activation="relu") for _ in range(2)]
    model = Sequential([*dense, layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    told = callbacks.LambdaCallback(on_epoch_end=lambda *_: tell(folder))
    model.fit(x, y, batch_size=BATCH, epochs=1, validation_data=(held, y_held), verbose=0, callbacks=[told])
    print(model.evaluate(held, y_held, verbose=0))
    model.save(folder / "model.keras")


if __name__ == "__main__":
    {"sklearn": sklearn, "keras": keras}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
