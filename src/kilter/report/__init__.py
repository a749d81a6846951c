"""Showing it: figures and pages that open from disk."""
