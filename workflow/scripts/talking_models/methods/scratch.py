"""Train from scratch: the label loss alone. The student that every method starts from."""

from talking_models.methods.base import Method


class Scratch(Method):
    """L = L_label(y, y_g)."""

    has_teacher = False
