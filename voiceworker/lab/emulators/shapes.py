"""Whether what went over the wire has the shapes that the providers publish: no field unknown, wrong or missing.

The shapes are the providers' own: the types of OpenAI's and Deepgram's Python packages, read strictly.
"""

from __future__ import annotations

import contextlib
import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Union, get_args, get_origin

import pydantic
import pydantic_core

from voiceworker.lab.emulators.wire import Direction, Exchange, WireLog

Check = Callable[[Any], list[str]]
"""What is wrong with a value that came as JSON; empty when nothing is."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """Of one address. None: nothing is to be sent that way."""

    received: Check | None = None
    "a request's body, or each message of a socket's client"
    sent: Check | None = None
    "a whole answer, or each message or event that is sent"
    error: Check | None = None
    "a whole answer with a status from 400 on"
    query: frozenset[str] | None = None
    "the parameters that the address takes; None: any"


Address = tuple[str, str]
"""Method and path; the method of a WebSocket is WS."""


def problems_of(wire: WireLog, shapes: Mapping[Address, Shapes]) -> list[str]:
    """Everything that is wrong in any exchange, each with its place. An address without shapes is wrong too."""
    found: list[str] = []
    for exchange in wire.exchanges:
        address = ("WS" if exchange.is_socket else exchange.method, exchange.path)
        if address not in shapes:
            found.append(f"{' '.join(address)}: no published shape")
            continue
        found += [f"{' '.join(address)} {problem}" for problem in _problems(exchange, shapes[address])]
    return found


def _problems(exchange: Exchange, shapes: Shapes) -> list[str]:
    found = [f"query: {name} is not known" for name in exchange.query if shapes.query and name not in shapes.query]
    for index, frame in enumerate(exchange.frames):
        if frame.kind == "binary" or frame.data in ("[DONE]", b""):
            continue
        check = _check_of(exchange, frame.direction, shapes)
        where = f"{frame.direction} {index}"
        if check is None:
            found.append(f"{where}: nothing is to be {frame.direction}")
            continue
        try:
            value = frame.message if _is_json(exchange, frame.direction, frame.kind) else frame.data
        except ValueError:
            found.append(f"{where}: no JSON: {frame.data[:80]!r}")
            continue
        found += [f"{where}: {problem}" for problem in check(value)]
    return found


def _check_of(exchange: Exchange, direction: Direction, shapes: Shapes) -> Check | None:
    if direction == "received":
        return shapes.received
    is_refusal = exchange.status is not None and exchange.status >= 400
    return shapes.error if is_refusal else shapes.sent


def _is_json(exchange: Exchange, direction: Direction, kind: str) -> bool:
    if direction == "received" and kind == "body":
        return exchange.headers.get("content-type", "").startswith("application/json")
    return True


# --- checks ---


def of_model(model: type[pydantic.BaseModel], *, known: Iterable[str] = ()) -> Check:
    """`known`: fields that the provider documents and the type leaves out, by their path (`session.id`)."""
    left_out = frozenset(known)

    def check(value: Any) -> list[str]:
        try:
            parsed = model.model_validate_json(json.dumps(value), strict=True)
        except pydantic.ValidationError as error:
            return _told(error)
        return [f"{path} is not known" for path in _unknown(parsed) if path not in left_out]

    return check


def of_typed_dict(kind: Any) -> Check:
    """What a client may send. In a list, for only there pydantic takes a configuration for it."""
    adapter = pydantic.TypeAdapter[Any](list[kind], config=pydantic.ConfigDict(extra="forbid", strict=True))
    validator = pydantic_core.SchemaValidator(_with_lists(adapter.core_schema))

    def check(value: Any) -> list[str]:
        try:
            validator.validate_json(json.dumps([value]))
        except pydantic.ValidationError as error:
            return _told(error)
        return []

    return check


def of_fields(**fields: type | tuple[type, ...]) -> Check:
    """An object of just these; for what is documented in words alone."""

    def check(value: Any) -> list[str]:
        if not isinstance(value, dict):
            return ["is no object"]
        wrong = [f"{name} is not known" for name in value if name not in fields]
        return wrong + [
            f"{name} is not {kind}" for name, kind in fields.items() if not isinstance(value.get(name), kind)
        ]

    return check


def by_type(checks: Mapping[str, Check]) -> Check:
    """Messages that say by `type` what they are."""

    def check(value: Any) -> list[str]:
        kind = str(value.get("type")) if isinstance(value, dict) else ""
        if kind not in checks:
            return [f"type {kind} is not known"]
        return [f"{kind}: {problem}" for problem in checks[kind](value)]

    return check


def by_streaming(streamed: Check, whole: Check) -> Check:
    """Requests that say by `stream` how they want to be answered."""

    def check(value: Any) -> list[str]:
        return (streamed if isinstance(value, dict) and value.get("stream") else whole)(value)

    return check


def any_of(*checks: Check) -> Check:
    """The problems of the one that has the fewest."""

    def check(value: Any) -> list[str]:
        return min((one(value) for one in checks), key=len)

    return check


def models_by_type(union: Any) -> dict[str, type[pydantic.BaseModel]]:
    """The members of a union of messages, by the literal that their `type` is."""
    found: dict[str, type[pydantic.BaseModel]] = {}
    for model in _members(union):
        for literal in get_args(model.model_fields["type"].annotation):
            found[str(literal)] = model
    return found


def _members(union: Any) -> list[type[pydantic.BaseModel]]:
    if get_origin(union) is Annotated:
        return _members(get_args(union)[0])
    if get_origin(union) in (Union, types.UnionType, typing.Union):
        return [model for member in get_args(union) for model in _members(member)]
    return [union] if isinstance(union, type) and issubclass(union, pydantic.BaseModel) else []


def _unknown(value: Any, path: str = "") -> list[str]:
    """Fields that the model took though it does not know them."""
    if isinstance(value, pydantic.BaseModel):
        found = [f"{path}{name}" for name in value.model_extra or {}]
        for name in type(value).model_fields:
            found += _unknown(getattr(value, name), f"{path}{name}.")
        return found
    if isinstance(value, list):
        return [problem for one in value for problem in _unknown(one, path)]
    return []


def _with_lists(schema: Any) -> Any:
    """Iterables are lists on the wire; as iterables they would be checked only when they are read."""
    if isinstance(schema, dict):
        kind = {"type": "list"} if schema.get("type") == "generator" else {}
        return {key: _with_lists(value) for key, value in schema.items()} | kind
    return [_with_lists(one) for one in schema] if isinstance(schema, list) else schema


def _told(error: pydantic.ValidationError) -> list[str]:
    """The problems of a union are those of each member: the first few say enough."""
    wrong = [one for one in error.errors() if not _is_moment(one)]
    return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong[:5]]


def _is_moment(error: Any) -> bool:
    """A moment as text, which JSON has no other way to tell; read strictly it is none."""
    if error["type"] != "datetime_type" or not isinstance(error["input"], str):
        return False
    with contextlib.suppress(ValueError):
        datetime.fromisoformat(error["input"])
        return True
    return False
