"""Data: from arrays, from tables, or shipped; and the preprocessing that goes with a run."""

from kilter.data.augment import Augmentation, Augmentations
from kilter.data.bending import QuantileNormal, SmoothClip
from kilter.data.bins import quantile_bins
from kilter.data.builtin import breast_cancer, diabetes, digits, iris, wine
from kilter.data.dataset import Dataset, Part, from_arrays
from kilter.data.image_augment import Crop, Cutout, Flip, Shift
from kilter.data.mixing import Mixup, Noise
from kilter.data.onehot import from_one_hot, one_hot
from kilter.data.only import Only
from kilter.data.preprocess import Preprocess, Steps
from kilter.data.scaling import ChannelMean, ChannelStandardize, MeanImage, MinMax, Robust, Scale, Standardize
from kilter.data.stream import Stream, stream
from kilter.data.table import from_table
from kilter.data.targets import Target
from kilter.data.whitening import CholeskyWhitening, PCAWhitening, Whitening, ZCAWhitening

PREPROCESSING: tuple[type[Preprocess], ...] = (
    Standardize,
    MeanImage,
    ChannelStandardize,
    ChannelMean,
    MinMax,
    Robust,
    SmoothClip,
    QuantileNormal,
    PCAWhitening,
    ZCAWhitening,
    CholeskyWhitening,
)

AUGMENTATIONS: tuple[type[Augmentation], ...] = (Shift, Flip, Crop, Cutout, Mixup, Noise)

__all__ = [
    "AUGMENTATIONS",
    "PREPROCESSING",
    "Augmentation",
    "Augmentations",
    "ChannelMean",
    "ChannelStandardize",
    "CholeskyWhitening",
    "Crop",
    "Cutout",
    "Dataset",
    "Flip",
    "MeanImage",
    "MinMax",
    "Mixup",
    "Noise",
    "Only",
    "PCAWhitening",
    "Part",
    "Preprocess",
    "QuantileNormal",
    "Robust",
    "Scale",
    "Shift",
    "SmoothClip",
    "Standardize",
    "Steps",
    "Stream",
    "Target",
    "Whitening",
    "ZCAWhitening",
    "breast_cancer",
    "diabetes",
    "digits",
    "from_arrays",
    "from_one_hot",
    "from_table",
    "iris",
    "one_hot",
    "quantile_bins",
    "stream",
    "wine",
]
