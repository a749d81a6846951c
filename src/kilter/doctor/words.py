"""The words of a diagnosis: what can be wrong, why, and how bad it is; the values are what users read."""

from enum import Enum, IntEnum, StrEnum


class Severity(IntEnum):
    """How bad a finding is."""

    NOTE = 0
    WARNING = 1
    ERROR = 2

    def __str__(self) -> str:
        return self.name.lower()


class Cause(StrEnum):
    """Root causes: what to change. Those that are known from collections of faults come first, in alphabetical order."""

    BAD_ACTIVATION = "bad_activation"
    BAD_INIT_SYMMETRY = "bad_init_symmetry"
    BAD_INIT_TOO_LARGE = "bad_init_too_large"
    BAD_INIT_TOO_SMALL = "bad_init_too_small"
    CLASS_IMBALANCE = "class_imbalance"
    DEAD_RELU = "dead_relu"
    DIVERGING_LOSS = "diverging_loss"
    DOUBLE_SOFTMAX = "double_softmax"
    DROPOUT_TOO_HIGH = "dropout_too_high"
    EXPLODING_GRADIENT = "exploding_gradient"
    LABEL_ERROR = "label_error"
    LOSS_OSCILLATION = "loss_oscillation"
    LR_NEGATIVE = "lr_negative"
    LR_TOO_HIGH = "lr_too_high"
    LR_TOO_LOW = "lr_too_low"
    MISSING_NONLINEARITY = "missing_nonlinearity"
    OVER_REGULARISATION = "over_regularisation"
    OVERFITTING = "overfitting"
    SATURATED_ACTIVATION = "saturated_activation"
    TOO_FEW_EPOCHS = "too_few_epochs"
    UNDERFITTING = "underfitting"
    UNNORMALISED_INPUT = "unnormalised_input"
    UNNORMALISED_TARGET = "unnormalised_target"
    VANISHING_GRADIENT = "vanishing_gradient"
    WRONG_OUTPUT_ACTIVATION = "wrong_output_activation"

    BATCH_NORM_STATISTICS = "batch_norm_statistics"
    BATCH_TOO_LARGE = "batch_too_large"
    CONSTANT_INPUT = "constant_input"
    DECAY_ON_NORMS = "decay_on_norms"
    DROPOUT_BEFORE_NORM = "dropout_before_norm"
    LEAKED_VALIDATION = "leaked_validation"
    NOT_SHUFFLED = "not_shuffled"
    OUTLIERS = "outliers"
    RANK_COLLAPSE = "rank_collapse"
    UNUSED_LAYER = "unused_layer"
    USELESS_BIAS = "useless_bias"
    WRONG_LOSS = "wrong_loss"


class Symptom(Enum):
    """What is seen; the value is the sentence that a user reads."""

    NEGATIVE_RATE = "the learning rate is negative, so that every update makes the loss larger"
    NO_UPDATES = "nothing is trained: the learning rate or the number of epochs is zero"
    ONE_CLASS = "all training rows have one class, while the validation rows have others"
    LABELS_DISAGREE = "the classes of the training rows and of the validation rows are spread quite differently"
    LABEL_NOISE = "training rows that look alike have different labels, validation rows do not"
    INPUT_NOT_FINITE = "the inputs hold values that are not finite"
    SOFTMAX_OF_ONE = "a softmax over one output is 1 whatever the network does"
    SQUASHED_TWICE = "the outputs are squashed twice before the loss"
    SQUASHED_INSIDE = "a softmax stands between hidden layers"
    OUTPUT_OUT_OF_REACH = "the output layer cannot give what the loss and the targets ask for"
    LOSS_FOR_NUMBERS = "the loss is one for numbers, but the targets are classes"
    SYMMETRIC_UNITS = "units begin with equal weights and stay alike"
    LINEAR_STACK = "layers follow each other without anything non-linear between them"
    DIVERGED = "the loss or a weight became infinite or not a number"
    FIRST_STEPS = "the loss has exploded within the first updates"
    RATE_TOO_HIGH = "the updates are too large: the loss jumps or grows"
    RATE_TOO_LOW = "the updates are too small: the loss is still falling when training ends"
    BADLY_SCALED_INPUT = "the inputs are far from the scale that networks expect"
    BADLY_SCALED_TARGET = "the targets are far from the scale that networks expect"
    WEIGHTS_TOO_SMALL = "the initial weights are too small: the signal fades with depth"
    WEIGHTS_TOO_LARGE = "the initial weights are too large: the signal grows or saturates"
    LOUD_START = "the loss begins far above that of a constant prediction"
    EXPLODING_SIGNAL = "the signal or its gradient grows from layer to layer"
    VANISHING_GRADIENT = "the gradient fades on its way back to the first layers"
    DEAD_UNITS = "units are never active, before training has begun"
    DEATH_BY_SEED = "units have died: after training they are not active on any training row"
    SATURATED_UNITS = "activations are saturated, where their derivative is next to nothing"
    RANK_COLLAPSE = "the signals of different rows become alike with depth"
    OVER_REGULARIZED = "the penalty on the weights outweighs the loss"
    DROPOUT_TOO_HIGH = "dropout takes more than the network can do without"
    CLASS_IMBALANCE = "some classes are rare, and the network ignores them"
    OSCILLATING_LOSS = "the loss goes up and down instead of down"
    PLATEAU = "the loss does not move"
    FEW_UPDATES = "training ends after too few updates"
    BATCH_TOO_LARGE = "batches are so large that few updates are made"
    OVERFITTING = "the network learns the training rows by heart"
    TOO_NARROW = "the network is too small: little gets through it"
    UNLEARNED_BATCH = "the network cannot learn even one batch by heart"
    UNDERFITTING = "the network does worse than an ordinary one of its size could"
    NORM_STATISTICS = "the moving statistics of a batch norm differ from those of the rows"
    TINY_BATCHES = "a batch norm sees too few rows at a time"
    DROPOUT_BEFORE_NORM = "dropout in front of a batch norm shifts its statistics between training and inference"
    DECAYED_NORMS = "weight decay pulls on biases and norm scales"
    USELESS_BIAS = "a bias has no effect, as the norm behind takes it off again"
    FROZEN_LAYER = "a layer gets no gradient at all"
    CONSTANT_INPUTS = "input columns never change"
    OUTLIERS = "a few inputs are far from all others"
    LEAKED_VALIDATION = "rows of the validation part are in the training part, too"
    NOT_SHUFFLED = "the training rows are sorted and are not shuffled"

    def __str__(self) -> str:
        return self.value
