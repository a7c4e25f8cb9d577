"""What the emulated providers share: delays, faults, the bill, the log of requests."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from voiceworker.lab.emulators.bill import Account, Bill, Role
from voiceworker.lab.emulators.delays import Delays
from voiceworker.lab.emulators.faults import Faults, FaultsOfRequest
from voiceworker.lab.emulators.requests import Request, Transcript

_REFUSING_SECONDS = 0.05
"an HTTP client that repeats at once what was refused is refused again; the caller sees one refusal"


class FaultError(ConnectionError):
    """The emulator has cut the connection, as a fault told it to."""


@web.middleware
async def forgive_lost_clients(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A connection that is gone, by a fault or by the client, is no error of the server."""
    try:
        return await handler(request)
    except ConnectionError:
        return web.Response(status=499)


@dataclass(slots=True)
class Provider:
    delays: Delays
    faults: Faults
    speech_speed: float
    bill: Bill = field(default_factory=Bill)
    requests: list[Request] = field(default_factory=list)
    transcripts: list[Transcript] = field(default_factory=list)
    _refused: dict[tuple[str, Role], float] = field(default_factory=dict)
    "until when"

    def draw(self, role: Role, http: web.Request) -> FaultsOfRequest:
        """The faults of the next request. Raises FaultError when it repeats what was just refused."""
        who = (api_key_of(http), role)
        if time.perf_counter() < self._refused.get(who, 0.0):
            abort(http)
            raise FaultError("refuse")
        faults = self.faults.next_request(role, who[0])
        if faults.of_kind("refuse"):
            self._refused[who] = time.perf_counter() + _REFUSING_SECONDS
        return faults

    def begin(self, role: Role, http: web.Request, faults: FaultsOfRequest) -> Job:
        """Counts and logs a request."""
        api_key = api_key_of(http)
        log = Request(role, api_key, http.path, time.perf_counter(), dict(http.query))
        self.requests.append(log)
        account = self.bill.account(api_key, role)
        account.requests += 1
        return Job(http, log, account, faults, self.delays)

    @contextlib.asynccontextmanager
    async def serving(self, role: Role, http: web.Request) -> AsyncIterator[Job]:
        """A request from its beginning to its end, whoever ends it."""
        job = self.begin(role, http, self.draw(role, http))
        try:
            yield job
        except (asyncio.CancelledError, ConnectionError):
            job.left()
            raise
        finally:
            job.end()


@dataclass(slots=True)
class Job:
    """One request in work."""

    http: web.Request
    log: Request
    account: Account
    faults: FaultsOfRequest
    delays: Delays
    "as they were when it began"
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    is_complete: bool = False
    "the client has what it asked for, or has said that it wants no more"
    _stalled: bool = False

    def refuse(self) -> int | None:
        """Before the answer: the status that a fault answers with, None when all is well.

        Raises FaultError when the fault answers nothing at all.
        """
        if self.faults.of_kind("refuse"):
            self.cut("refuse")
        fault = self.faults.of_kind("status")
        if fault is None:
            return None
        self._fail(f"status {fault.status}")
        return fault.status

    async def before_sending(self, answering_since: float | None) -> None:
        """Before each piece of an answer that began then: stalls or cuts it when its time has come."""
        elapsed = 0.0 if answering_since is None else time.perf_counter() - answering_since
        reset = self.faults.of_kind("reset")
        if reset is not None and elapsed >= reset.after_seconds:
            self.cut("reset")
        stall = self.faults.of_kind("stall")
        if stall is not None and not self._stalled and elapsed >= stall.after_seconds:
            self._stalled = True
            self.log.failed = "stall"
            await asyncio.sleep(stall.seconds)

    def next_strike_at(self, answering_since: float) -> float | None:
        """When a fault strikes an answer that began then, though nothing is sent."""
        waiting = [self.faults.of_kind("reset"), None if self._stalled else self.faults.of_kind("stall")]
        return min((answering_since + fault.after_seconds for fault in waiting if fault is not None), default=None)

    def sent_first_byte(self) -> None:
        if self.log.first_byte_at is None:
            self.log.first_byte_at = time.perf_counter()

    def left(self) -> None:
        """The client has left, or cleared what it asked for; not when a fault has cut it off."""
        if self.log.failed in ("", "stall") and not self.log.cancelled and not self.is_complete:
            self.log.cancelled = True
            self.account.cancelled_requests += 1

    def end(self) -> None:
        if self.log.ended_at is None:
            self.log.ended_at = time.perf_counter()

    def cut(self, fault: str) -> None:
        """Ends the connection without a word. Raises FaultError."""
        self._fail(fault)
        abort(self.http)
        raise FaultError(fault)

    def _fail(self, fault: str) -> None:
        if not self.log.failed:
            self.account.failed_requests += 1
        self.log.failed = fault


async def sleep_until(moment: float) -> None:
    """A moment of `time.perf_counter`."""
    delay = moment - time.perf_counter()
    if delay > 0:
        await asyncio.sleep(delay)


def abort(http: web.Request) -> None:
    if http.transport is not None:
        http.transport.abort()


def api_key_of(http: web.Request) -> str:
    """From `Authorization: Token KEY` or `Bearer KEY`; empty when there is none."""
    _, _, key = http.headers.get("Authorization", "").partition(" ")
    return key.strip()
