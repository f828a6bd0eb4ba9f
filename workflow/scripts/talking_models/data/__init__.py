"""Data sets: a kind is a file with a `DataKind`; `canonical` and `splits` have what follows."""

from talking_models.registry import Registry

DATA = Registry("talking_models.data", "DataKind")
