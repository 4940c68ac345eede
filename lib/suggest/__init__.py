"""Settings for a data set, from the sizes of its pictures and objects: python -m lib.suggest."""
