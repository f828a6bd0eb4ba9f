"""MovieLens: where it comes from (`sources`), its one canonical form (`canonical`), and the time
split and genre tasks made of it (`splits`).

This file imports nothing, so that a Snakefile can use `names.slug` without loading pandas.
"""
