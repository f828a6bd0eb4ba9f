"""Talking Models: a teacher and a student that exchange messages (Zhao et al., 2023)."""

__version__ = "0.1.0"
