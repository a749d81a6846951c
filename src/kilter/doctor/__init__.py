"""Diagnosis: what is wrong with a training, and the remedies against it."""
