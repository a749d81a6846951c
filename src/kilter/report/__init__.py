"""Showing it: figures, and pages that open from disk."""

from kilter.report.report import Report

__all__ = ["Report"]
