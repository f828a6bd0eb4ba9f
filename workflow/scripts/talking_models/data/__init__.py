"""Data sets: a kind is a file with a `DataKind`; `canonical` says what all of them become, `splits`
how they are cut.
"""

from talking_models.registry import Registry

DATA = Registry("talking_models.data", "DataKind")
