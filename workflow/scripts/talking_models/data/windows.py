"""Which part of the rows a cut by time evaluates. Standard library only: the configuration asks,
too.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

ROLL = Fraction(1, 2)  # of the rows, the last ones, are eval rows of some window


def evaluated(protocol: Mapping[str, Any]) -> tuple[Fraction, Fraction]:
    """Where the eval rows of `latest`, or of a window of `rolling`, begin and end, as exact shares
    of all rows, of a share as written: 0.1 is 1/10, not the float beside it.
    """
    if protocol["kind"] == "latest":
        return 1 - Fraction(str(protocol["eval"])), Fraction(1)
    window, windows = protocol["window"], protocol["windows"]
    begin, end = (ROLL + (1 - ROLL) * Fraction(k, windows) for k in (window, window + 1))
    return begin, end
