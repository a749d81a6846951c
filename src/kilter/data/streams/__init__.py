"""Streams: data that are read piece by piece, since memory does not hold them."""
