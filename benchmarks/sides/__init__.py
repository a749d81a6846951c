"""The contestants that train: Kilter, and each peer in its best form."""
