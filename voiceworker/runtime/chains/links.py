"""What the chains of all roles share: a link, the news of a switch, and what a failure is called."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import aiohttp
import openai
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError

from voiceworker.policy.breaker import Severity
from voiceworker.policy.outage import Role

Engine = TypeVar("Engine")

Probe = Callable[[], Awaitable[None]]
"costs nothing or little; raises any Exception when the provider is still out of order"


@dataclass(frozen=True, slots=True)
class Link(Generic[Engine]):
    """One engine of a chain."""

    name: str
    "as in the agent's file: `deepgram/nova-3`"
    engine: Engine
    probe: Probe | None = field(default=None, repr=False)
    "None: after a failure the next request that is really needed tries whether it works again"
    patience_seconds: float | None = None
    """llm, tts: to the first token or sound. stt: from the end of speech to its final transcript. None: the chain's
    own; more for one that is known to take its time."""
    continues: bool = True
    "llm: takes up a reply that another has begun; False for one that answers by rules"


@dataclass(frozen=True, slots=True)
class Switch:
    """A chain goes on with another model."""

    role: Role
    old: str
    new: str
    reason: str
    "a few words of ours, never a provider's text"


OnSwitch = Callable[[Switch], None]


@dataclass(frozen=True, slots=True)
class Failure:
    reason: str
    severity: Severity = Severity.PASSING
    retry_after_seconds: float | None = None

    def may_pass(self, waited_seconds: float, patience_seconds: float) -> bool:
        """Where nobody stands by: a connection that broke may stand again at once. Who was waited for is not again."""
        return self.severity is Severity.PASSING and waited_seconds < patience_seconds


class GivenUpError(Exception):
    """A chain has lost patience with an engine that has not failed by itself."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_LASTING = frozenset({401, 402, 403, 404})
"""Every request is refused: the key, the account, the model or the address is wrong. Not 400, 413 or 422: these may be
about what this one caller said."""


def failure_of(error: BaseException, retry_after_seconds: float | None = None) -> Failure:
    """What went wrong, in our own words: a provider's text may quote a key or what was said."""
    if isinstance(error, GivenUpError):
        return Failure(error.reason)
    status = error.status_code if isinstance(error, APIStatusError) else 0
    if status == 429:
        return Failure("rate limited", Severity.BUSY, retry_after_seconds)
    if status in _LASTING:
        return Failure(f"refused with {status}", Severity.LASTING, retry_after_seconds)
    if 400 <= status < 600:
        return Failure(f"failed with {status}", retry_after_seconds=retry_after_seconds)
    if status:  # the plugins give a socket's close code, or -1
        return Failure("closed early")
    if isinstance(error, APITimeoutError | TimeoutError):
        return Failure("timed out")
    if isinstance(error, APIConnectionError | OSError):
        return Failure("connection lost")
    if isinstance(error, APIError):
        return Failure("answered with an error")
    return Failure(f"failed: {type(error).__name__}")


def layers_of(engine: Any) -> Iterator[Any]:
    """The engine, and what it is wrapped around: a meter, a gate, the plugin's own."""
    seen: list[Any] = []
    while engine is not None and not any(engine is one for one in seen):
        yield engine
        seen.append(engine)
        engine = getattr(engine, "engine", None)


class RetryAfters:
    """How long providers asked to be left alone.

    The plugins drop the header, and what they raise has forgotten by then the client's error that it was raised from.
    But when an engine tells of its error, it still knows.
    """

    _KEPT = 8

    def __init__(self) -> None:
        self._told: deque[tuple[BaseException, float]] = deque(maxlen=self._KEPT)

    def listen_to(self, engine: Any) -> None:
        for one in layers_of(engine):
            one.on("error", self._error)

    def failure_of(self, error: BaseException) -> Failure:
        told = next((seconds for one, seconds in self._told if one is error), None)
        return failure_of(error, told)

    def _error(self, event: Any) -> None:
        seconds = _retry_after(event.error)
        if seconds is not None:
            self._told.append((event.error, seconds))


def _retry_after(error: BaseException) -> float | None:
    """In seconds, from the client's error behind a plugin's."""
    for cause in _causes(error):
        value: str | None = None
        if isinstance(cause, openai.APIStatusError):
            value = cause.response.headers.get("Retry-After")
        elif isinstance(cause, aiohttp.ClientResponseError) and cause.headers is not None:
            value = cause.headers.get("Retry-After")
        if value is not None:
            return _seconds(value)
    return None


def _seconds(text: str) -> float | None:
    try:
        return max(0.0, float(text))
    except ValueError:  # a date, which nobody sends who answers 429 to a machine
        return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
