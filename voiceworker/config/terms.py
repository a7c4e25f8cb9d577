"""What the parts of the configuration have in common: the error for a person, strict models, and terms of money."""

from __future__ import annotations

import difflib
from decimal import Decimal
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field


class ConfigError(Exception):
    """A setting or a file is wrong. The text is one line for a person: place, reason, remedy."""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"ISO 4217"
Amount = Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=6)]


def names(model: type[BaseModel]) -> str:
    """The keys that it may have."""
    return ", ".join(model.model_fields)


def reason(error: Any, root: type[BaseModel]) -> str:
    """One clause for a person out of a pydantic error of the model `root`.

    The value itself is never echoed: it may be a secret.
    """
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        owner = _owner(error["loc"], root)
        key = str(error["loc"][-1])
        close = difflib.get_close_matches(key, owner.model_fields, n=1)
        guess = f"did you mean {close[0]}? " if close else ""
        return f"no such key; {guess}Allowed here: {names(owner)}"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    message: str = error["msg"]
    return message[0].lower() + message[1:]


def _owner(location: tuple[str | int, ...], root: type[BaseModel]) -> type[BaseModel]:
    """The model in which the key at `location` stands."""
    owner = root
    for step in location[:-1]:
        field = owner.model_fields.get(str(step))
        if field is None:  # a key of a mapping or a place in a list: the model of its values has been found already
            continue
        inner = next((kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)), None)
        if inner is None:
            break
        owner = inner
    return owner


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
