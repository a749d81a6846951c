"""Optimizers, wrappers around them, and schedules."""

from kilter.optim.accumulate import Accumulate
from kilter.optim.adadelta import Adadelta
from kilter.optim.adafactor import Adafactor
from kilter.optim.adagrad import AdaGrad
from kilter.optim.adam import Adam, AdamW, Nadam
from kilter.optim.adamax import Adamax
from kilter.optim.annealing import Cosine, CosineRestarts, Coslog4, FlatCosine, OneCycle, Polynomial
from kilter.optim.average import Average
from kilter.optim.clipping import AdaptiveClip, ClipByGlobalNorm, ClipByNorm, ClipByValue
from kilter.optim.constraints import CONSTRAINTS, Constraint, MaxNorm, NonNegative, UnitNorm
from kilter.optim.decays import Exponential, Geometric, InverseTime, MultiStep, Step
from kilter.optim.from_optax import FromOptax, Setting
from kilter.optim.gauss_newton import GaussNewton
from kilter.optim.joined import Join, Warmup
from kilter.optim.lamb import LAMB
from kilter.optim.lbfgs import LBFGS
from kilter.optim.lion import Lion
from kilter.optim.loss_scale import LossScale
from kilter.optim.objective import Objective
from kilter.optim.optimizer import Optimizer, spanning
from kilter.optim.per_part import PerPart, Scaled
from kilter.optim.plateau import ReduceOnPlateau
from kilter.optim.radam import RAdam
from kilter.optim.rmsprop import RMSProp
from kilter.optim.sam import SAM
from kilter.optim.schedule_free import ScheduleFreeAdam
from kilter.optim.schedules import Constant, Schedule
from kilter.optim.sgd import SGD
from kilter.optim.to_optax import to_optax
from kilter.optim.yogi import Yogi

ALL: tuple[type[Optimizer], ...] = (
    SGD,
    AdaGrad,
    RMSProp,
    Adadelta,
    Adam,
    AdamW,
    Adamax,
    Nadam,
    RAdam,
    Yogi,
    Lion,
    LAMB,
    Adafactor,
    ScheduleFreeAdam,
    LBFGS,
    GaussNewton,
)
WRAPPERS: tuple[type[Optimizer], ...] = (
    ClipByValue,
    ClipByNorm,
    ClipByGlobalNorm,
    AdaptiveClip,
    Average,
    Accumulate,
    PerPart,
    SAM,
    ReduceOnPlateau,
    LossScale,
)
SCHEDULES: tuple[type[Schedule], ...] = (
    Constant,
    Step,
    MultiStep,
    Exponential,
    Geometric,
    InverseTime,
    Polynomial,
    Cosine,
    CosineRestarts,
    FlatCosine,
    OneCycle,
    Coslog4,
    Warmup,
    Join,
)

__all__ = [
    "ALL",
    "CONSTRAINTS",
    "LAMB",
    "LBFGS",
    "SAM",
    "SCHEDULES",
    "SGD",
    "WRAPPERS",
    "Accumulate",
    "AdaGrad",
    "Adadelta",
    "Adafactor",
    "Adam",
    "AdamW",
    "Adamax",
    "AdaptiveClip",
    "Average",
    "ClipByGlobalNorm",
    "ClipByNorm",
    "ClipByValue",
    "Constant",
    "Constraint",
    "Cosine",
    "CosineRestarts",
    "Coslog4",
    "Exponential",
    "FlatCosine",
    "FromOptax",
    "GaussNewton",
    "Geometric",
    "InverseTime",
    "Join",
    "Lion",
    "LossScale",
    "MaxNorm",
    "MultiStep",
    "Nadam",
    "NonNegative",
    "Objective",
    "OneCycle",
    "Optimizer",
    "PerPart",
    "Polynomial",
    "RAdam",
    "RMSProp",
    "ReduceOnPlateau",
    "Scaled",
    "Schedule",
    "ScheduleFreeAdam",
    "Setting",
    "Step",
    "UnitNorm",
    "Warmup",
    "Yogi",
    "spanning",
    "to_optax",
]
