"""Choosing settings on the training rows: what is searched, on which folds, and what is chosen."""
