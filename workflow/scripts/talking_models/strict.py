"""What all sections of the configuration are made of. Nothing here imports torch or pandas."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic_core import PydanticCustomError

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Width = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Precision = Literal["float32", "bfloat16"]


class Strict(BaseModel):
    """Base of all sections: unknown keys are errors and types are not converted.

    An integer is accepted where a number is meant; text never is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def unique(names: tuple[str, ...]) -> tuple[str, ...]:
    """`names` as they are, or an error that lists those given more than once."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise PydanticCustomError(
            "repeated", "each name once; repeated: {names}", {"names": ", ".join(repeated)}
        )
    return names


def subset(model: type[Strict], name: str, doc: str) -> type[Strict]:
    """A section with any subset of another's keys."""
    return create_model(
        name,
        __base__=Strict,
        __doc__=doc,
        __module__=model.__module__,
        # The null default only marks a key as not given: it is no allowed value, hence not shown.
        **{
            key: (
                Annotated[(info.annotation, key, *info.metadata)],  # it wants one at least
                Field(
                    None,
                    description=info.description,
                    json_schema_extra=lambda s: s.pop("default"),
                ),
            )
            for key, info in model.model_fields.items()
        },
    )
