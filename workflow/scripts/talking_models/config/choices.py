"""Tuned settings in files of the repository: `config/tuned/<data>/<split>/<experiment>.yaml`,
without `<split>` for `latest`.

A choice knows what it is for: `about` says which data set (its entry, without words for pages) and
split it was made on, and `from` what it started from. It serves nothing else, and it yields to
whatever a user has set since.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, ValidationError

from talking_models.changes import PARTS
from talking_models.config.errors import ConfigError, dotted
from talking_models.config.merge import plain


class Change(BaseModel):
    """What a search chose, or started from."""

    training: dict[str, Any] = {}
    settings: dict[str, Any] = {}


class Chosen(Change):
    """What a search chose for a task."""

    validation_rmse: float | None = None
    validation_error: float | None = None  # of images


class Choice(BaseModel):
    """The content of such a file."""

    about: dict[str, Any]
    begun: Change = Field(alias="from")
    chosen: dict[str, Chosen] = Field(min_length=1)
    path: str = Field("", exclude=True)

    def unless_set(
        self, task: str, now: Mapping[str, Any], given: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[str]]:
        """The choice for a task without the keys that a user has set, and these keys.

        `now` has `training` and `settings` without a choice, `given` what the user's files say.
        """
        left, kept = {}, []
        for part in PARTS:
            chosen, before = getattr(self.chosen[task], part), getattr(self.begun, part)
            altered = {key for key in before.keys() & now[part] if now[part][key] != before[key]}
            own = chosen.keys() & (altered | set(given[part]))
            left[part] = {key: value for key, value in chosen.items() if key not in own}
            kept += [f"{part}.{key}" for key in sorted(own)]
        return left, kept


def read_choice(path: str | Path) -> Choice | None:
    """A committed choice; None without such a file, a `ConfigError` if it is none."""
    try:
        found = Choice.model_validate(plain(path))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        wrong = f"{dotted(first['loc'])}: {first['msg']}"
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        wrong = str(error)
    else:
        found.path = str(path)
        return found
    raise ConfigError(
        f"tuned: {path} is not the choice of a search ({wrong}): restore it from git, or remove "
        "it and its experiment is not tuned"
    )
