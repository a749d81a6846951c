"""Ensembles: several runs that predict as one, how they are chosen, and how they are made."""

from kilter.ensembles.cycles import snapshots
from kilter.ensembles.make import ensemble
from kilter.ensembles.mean import Ensemble
from kilter.ensembles.store import load

__all__ = ["Ensemble", "ensemble", "load", "snapshots"]
