"""The breakers of one call: their clock, their probes, and what other calls have learnt."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from voiceworker.policy.breaker import Attempt, Breaker, BreakerSettings, State
from voiceworker.policy.outage import Role
from voiceworker.runtime.chains.links import Failure, Link, Probe, failure_of
from voiceworker.runtime.chains.shared_health import SharedHealth
from voiceworker.runtime.tasks import Tasks

logger = logging.getLogger("voiceworker.call")

PROBE_SECONDS = 5.0
"a provider that takes longer to say anything at all is not well yet"


@dataclass(frozen=True, slots=True)
class Trying:
    """A request on its way to one link; say what became of it, once or never."""

    breakers: Breakers
    role: Role
    key: str
    attempt: Attempt

    def succeeded(self) -> None:
        self.breakers._succeeded(self)

    def failed(self, failure: Failure) -> None:
        self.breakers._failed(self, failure)

    def abandoned(self) -> None:
        """The caller spoke on, or the call ended: nobody's fault."""
        self.breakers._of(self.key).abandoned(self.attempt)


class Breakers:
    """For all chains of a call. Close it when the call ends."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        settings: BreakerSettings | None = None,
        clock: Callable[[], float] = time.time,
        on_success: Callable[[Role], None] = lambda _role: None,
    ) -> None:
        """`path`: the file that all calls of this machine share; None: every call learns for itself. `clock`: seconds
        since the epoch, as all of them count. `on_success` is told the role in which a request has succeeded."""
        self._settings = settings or BreakerSettings()
        self._clock = clock
        self._on_success = on_success
        self._shared = None if path is None else SharedHealth(path)
        self._breakers: dict[str, Breaker] = {}
        self._told: dict[str, float] = {}
        "when this call has told, or was told, of a breaker"
        self._tasks = Tasks()
        self._probing: set[str] = set()

    def state(self, role: Role, name: str) -> State:
        return self._of(_key(role, name)).state(self._clock())

    def next_deadline(self, role: Role, links: Sequence[Link[Any]]) -> float:
        """In how many seconds one of them may be asked again; 0: now."""
        now = self._clock()
        deadlines = [self._of(_key(role, link.name)).deadline(now) for link in links]
        return min((0.0 if moment is None else moment - now for moment in deadlines), default=0.0)

    def admit(self, role: Role, link: Link[Any], *, forced: bool = False) -> Trying | None:
        """A request to this link, if it may be made now; one whose time is up is probed meanwhile."""
        self._hear_of_others()
        key, now = _key(role, link.name), self._clock()
        breaker = self._of(key)
        if link.probe is not None and not forced and breaker.state(now) is State.HALF_OPEN:
            self._probe(role, key, link.probe)
            return None
        attempt = breaker.admit(now, forced=forced)
        return None if attempt is None else Trying(self, role, key, attempt)

    def admit_first(self, role: Role, links: Sequence[Link[Any]]) -> tuple[Link[Any], Trying] | None:
        """The first that may be asked. When none may, the one whose time comes first all the same: to ask nobody is
        sure to fail. None when there are no links."""
        for link in links:
            if (trying := self.admit(role, link)) is not None:
                return link, trying
        if not links:
            return None
        now = self._clock()
        soonest = min(links, key=lambda link: self._of(_key(role, link.name)).deadline(now) or now)
        forced = self.admit(role, soonest, forced=True)
        assert forced is not None
        return soonest, forced

    async def aclose(self) -> None:
        await self._tasks.aclose()

    # --- how ---

    def _of(self, key: str) -> Breaker:
        return self._breakers.setdefault(key, Breaker(self._settings))

    def _succeeded(self, trying: Trying) -> None:
        breaker, now = self._of(trying.key), self._clock()
        was_closed = breaker.state(now) is State.CLOSED
        breaker.succeeded(trying.attempt, now)
        if not was_closed and breaker.state(now) is State.CLOSED:
            self._tell(trying.key)
        self._on_success(trying.role)

    def _failed(self, trying: Trying, failure: Failure) -> None:
        breaker, now = self._of(trying.key), self._clock()
        before = breaker.remembered(now).open_until
        breaker.failed(trying.attempt, now, failure.severity, failure.retry_after_seconds)
        if breaker.remembered(now).open_until != before:
            logger.warning("%s is left alone for a while: %s", trying.key, failure.reason)
            self._tell(trying.key)

    def _tell(self, key: str) -> None:
        now = self._clock()
        self._told[key] = now
        if self._shared is not None:
            write = asyncio.to_thread(self._shared.write, key, self._of(key).remembered(now))
            self._tasks.spawn(write, "state of a provider")

    def _hear_of_others(self) -> None:
        """A stat of one file, and a read of it when it has changed."""
        if self._shared is None:
            return
        now = self._clock()
        for key, remembered in self._shared.news().items():
            if remembered.told_at > self._told.get(key, float("-inf")):
                self._told[key] = remembered.told_at
                self._of(key).recall(remembered, now)

    def _probe(self, role: Role, key: str, probe: Probe) -> None:
        if key in self._probing:
            return
        attempt = self._of(key).admit(self._clock())
        if attempt is not None:
            self._probing.add(key)
            self._tasks.spawn(self._ask(Trying(self, role, key, attempt), probe), f"probe of {key}")

    async def _ask(self, trying: Trying, probe: Probe) -> None:
        key = trying.key
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await probe()
        except asyncio.CancelledError:
            trying.abandoned()
            raise
        except Exception as error:  # whatever it is, the provider is not well
            trying.failed(failure_of(error))
        else:
            self._of(key).answered_a_probe(trying.attempt, self._clock())
            self._tell(key)
        finally:
            self._probing.discard(key)


class HttpProbe:
    """Asks a provider for something that costs nothing, as its list of models. Any answer but a refusal, a rate limit
    or an error of the server's shows that it is there."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        """`headers` hold the key; they are shown nowhere."""
        self._url = url
        self._headers = headers

    async def __call__(self) -> None:
        """Raises aiohttp.ClientError, OSError, PermissionError."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(self._url, headers=self._headers, allow_redirects=False) as answer,
        ):
            if answer.status in (401, 403, 429) or answer.status >= 500:
                raise ConnectionError(f"status {answer.status}")


def _key(role: Role, name: str) -> str:
    return f"{role} {name}"
