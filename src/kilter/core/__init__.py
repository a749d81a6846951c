"""The bottom of the house: values, paths, keys, errors and files. It knows nothing of networks."""
