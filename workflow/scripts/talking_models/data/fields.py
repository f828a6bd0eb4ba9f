"""What a field means, whatever program wrote it: numbers and text, times, categories."""

import json
import re
from ast import literal_eval
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_list_like

from talking_models.data.canonical import LATEST, MISSING, check

MILLISECONDS = 10**11  # a time of that many seconds lies beyond the year 5000
NONE = (*MISSING, "(no genres listed)")
PART = r"(\"(?:[^\"\\]|\\.)*\")|('(?:[^'\\]|\\.)*')|(\d+)"  # of a list that is text


def values_of(values: pd.Series, path: str) -> pd.Series:
    """A column of numbers, dates or text, which Parquet can have as bytes."""
    kind = infer_dtype(values) if values.dtype == object else None
    if kind == "bytes":
        text = values.str.decode("utf-8", "replace")
        check(values, text.str.contains("\ufffd", na=False), path, "text in UTF-8")
        return text
    if kind == "mixed":
        check(values, values.map(is_list_like), path, "a value for itself, no list")
    return values


def times(values: pd.Series, path: str, unit: str | None) -> pd.Series:
    """Times in seconds, or as dates; from seconds, milliseconds or dates."""
    expected = "a time in seconds, milliseconds or ISO 8601"
    dates = values.dtype.kind == "M" or unit == "iso"
    if not dates:
        spans = values.dtype.kind == "m"  # pandas would count their nanoseconds
        found = pd.to_numeric(values.astype(str) if spans else values, errors="coerce")
        dates = unit is None and (found.notna().mean() <= 0.5 or _are_days(found))
    if dates:
        text = values.astype(str) if values.dtype.kind in "iu" else values
        found = pd.to_datetime(text, errors="coerce", utc=True, format="ISO8601")
        check(values, found.isna(), path, expected)
        return found
    size, late = found.abs(), LATEST
    if unit == "ms" or (unit is None and size.median() >= MILLISECONDS):
        found, late = found // 1000, LATEST * 1000
        if unit is None:
            small, words = size < MILLISECONDS, "milliseconds, as most are; or say `time_unit`"
            check(values, small, path, words)
    check(values, found.isna() | (size > late), path, f"{expected}, before the year 4147")
    return found


def _are_days(numbers: pd.Series) -> bool:
    """Whether all are days as 20240131 writes them, which nobody means as seconds of 1970."""
    if not numbers.between(1900_01_01, 2100_12_31).all():
        return False
    months, days = numbers // 100 % 100, numbers % 100
    return bool((months.isin(range(1, 13)) & days.isin(range(1, 32))).all())


def categories_of(value: Any) -> list[str] | None:
    """The categories of an item: of `a|b`, of `["a", "b"]`, of a list, of nothing; else None."""
    if isinstance(value, str):
        text = value.strip()
        if not re.match(r"\[|[({]\s*['\"]", text):
            return [name for name in map(str.strip, text.split("|")) if name not in NONE]
        # lists as JSON, Python and NumPy write them: between their parts nothing may be left
        if text[-1] not in "])}" or re.sub(PART, "", text[1:-1]).strip(", \n"):
            return None
        try:
            return [
                json.loads(double) if double else literal_eval(single) if single else number
                for double, single, number in re.findall(PART, text)
            ]
        except (SyntaxError, ValueError):
            return None
    if not isinstance(value, list | np.ndarray):
        if pd.isna(value):
            return []
        value = [value]
    named = all(isinstance(name, str | int | np.integer) for name in value)
    return [str(name) for name in value] if named else None
