"""What helps, in Keras's words."""

from kilter.doctor.remedy import Remedy
from kilter.interop.advice import Terms

_FAMILIES = {
    "output": "end in a Dense without activation, with SparseCategoricalCrossentropy(from_logits=True) for classes, "
    "MeanSquaredError() for numbers",
    "inputs": "keras.layers.Normalization(), adapted to x, in front",
    "targets": "y = (y - y_train.mean()) / y_train.std(), undone on predictions",
    "learning_rate": "a positive learning_rate: a tenth where the loss jumps, ten times as large where it hardly moves",
    "optimizer": "keras.optimizers.Adam()",
    "initializer": 'kernel_initializer="he_normal", bias_initializer="zeros"',
    "activation": 'activation="relu" in hidden layers',
    "missing_activation": 'activation="relu" in the first of the two layers',
    "batch_norm": "keras.layers.BatchNormalization() behind every hidden layer",
    "layer_norm": "keras.layers.LayerNormalization() in place of the batch norm",
    "residual": "keras.layers.Add()([x, block(x)]) around every two layers",
    "clip": "the optimizer with global_clipnorm=1.0",
    "schedule": "keras.optimizers.schedules.CosineDecay as learning_rate",
    "loss": "keras.losses.Huber() for numbers, CategoricalCrossentropy(label_smoothing=0.1) for classes",
    "class_weights": "model.fit(..., class_weight={0: 1 / count_0, 1: 1 / count_1})",
    "dropout": "keras.layers.Dropout with a rate of 0.2",
    "decay": "another weight_decay: 0 where training rows are not learned, AdamW with 1e-2 where they are learned by heart",
    "stopping": "keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)",
    "width": "layers twice as wide, or half as wide where training rows are learned by heart",
    "depth": "fewer layers",
    "batch_size": "model.fit(..., batch_size=32)",
    "epochs": "model.fit(..., epochs=...) with twice as many",
    "shuffle": "model.fit(..., shuffle=True)",
}


def _told(remedy: Remedy) -> str:
    """The line of the family, or, for activations and learning rates, the setting itself."""
    family, _, setting = remedy.name.partition(":")
    if family == "activation":
        return f'activation="{setting}" in hidden layers'
    if family == "learning_rate":
        return remedy.torch.replace("lr=", "learning_rate=") if remedy.torch.startswith("lr=") else ""
    return _FAMILIES.get(family, "")


TERMS = Terms(
    told=_told,
    families=_FAMILIES,
    places={"optimizer.lr": "optimizer.learning_rate", "penalty": "weight_decay", "penalty.on": "weight_decay"},
)
