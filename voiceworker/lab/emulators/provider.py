"""What the emulated providers share: delays, faults, the bill, the log of requests."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace

from aiohttp import web

from voiceworker.lab.emulators.bill import Account, Bill, Role
from voiceworker.lab.emulators.delays import Delays
from voiceworker.lab.emulators.faults import Fault, FaultKind, Faults, FaultsOfRequest
from voiceworker.lab.emulators.requests import Request, Transcript
from voiceworker.lab.emulators.tones import WORD_SECONDS

_REFUSING_SECONDS = 0.05
"an HTTP client that repeats at once what was refused is refused again; the caller sees one refusal"


_SURVIVED = ("", "stall", "drip", "malformed")
"of faults, what a client may wait through"
NO_JSON = '{"type": "Resu'
"a frame of text that is none"
NO_AUDIO = bytes(37 * index % 251 for index in range(1999))
"a frame of audio that is none, of an odd number of bytes"


class FaultError(ConnectionError):
    """The answer ends here, as a fault told it to; the connection has been cut."""


class EarlyCloseError(FaultError):
    """Its end is to be an orderly one, though it is not complete."""


class MidstreamError(FaultError):
    """Its end is to be the provider's own message of an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"error {status}")
        self.status = status


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
    _open: list[Job] = field(default_factory=list)
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
        return Job(http, log, account, faults, _dripping(self.delays, faults))

    @contextlib.asynccontextmanager
    async def serving(self, role: Role, http: web.Request) -> AsyncIterator[Job]:
        """A request from its beginning to its end, whoever ends it."""
        job = self.begin(role, http, self.draw(role, http))
        self._open.append(job)
        try:
            yield job
        except (asyncio.CancelledError, ConnectionError):
            job.left()
            raise
        finally:
            self._open.remove(job)
            job.end()

    def strike(self, fault: Fault, now: float) -> int:
        """What is open of its role and key is befallen, `after_seconds` from `now` on. How many that are."""
        struck = [job for job in self._open if fault.role == job.log.role and fault.api_key in (None, job.log.api_key)]
        for job in struck:
            later = replace(fault, after_seconds=now - job.log.started_at + fault.after_seconds)
            job.faults = FaultsOfRequest((*job.faults.faults, later))
        return len(struck)


@dataclass(slots=True, eq=False)
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
    _struck: set[FaultKind] = field(default_factory=set)
    "of those that strike once"

    def __post_init__(self) -> None:
        if self.faults.of_kind("drip"):
            self.log.failed = "drip"

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

    def refusal_headers(self) -> dict[str, str]:
        """What the answer of a refusal carries besides the provider's own."""
        fault = self.faults.of_kind("status")
        seconds = None if fault is None else fault.retry_after_seconds
        return {} if seconds is None else {"Retry-After": f"{seconds:g}"}

    async def before_sending(self, answering_since: float | None) -> bool:
        """Before each piece of an answer that began then: what strikes when its time has come. Whether a piece of
        nonsense (NO_JSON, NO_AUDIO) has to go ahead of it.

        Raises FaultError when the answer ends here. Never returns from a hang.
        """
        elapsed = 0.0 if answering_since is None else time.perf_counter() - answering_since

        def due(kind: FaultKind) -> Fault | None:
            fault = self.faults.of_kind(kind)
            return fault if fault is not None and elapsed >= fault.after_seconds else None

        if due("reset"):
            self.cut("reset")
        if due("hang"):
            self._fail("hang")
            await asyncio.Event().wait()
        if due("early_close"):
            self._fail("early_close")
            raise EarlyCloseError("early_close")
        if error := due("error_midstream"):
            self._fail(f"error {error.status}")
            raise MidstreamError(error.status)
        if (stall := due("stall")) and "stall" not in self._struck:
            self._struck.add("stall")
            self.log.failed = "stall"
            await asyncio.sleep(stall.seconds)
        if due("malformed") and "malformed" not in self._struck:
            self._struck.add("malformed")
            self.log.failed = "malformed"
            return True
        return False

    async def after_sending(self, seconds: float) -> None:
        """Of what comes one by one, by nature one in so many seconds: a drip makes each wait for its turn."""
        drip = self.faults.of_kind("drip")
        if drip is not None:
            await asyncio.sleep(seconds / drip.speed)

    def next_strike_at(self, answering_since: float) -> float | None:
        """When a fault strikes an answer that began then, though nothing is sent."""
        kinds: tuple[FaultKind, ...] = ("reset", "early_close", "error_midstream", "stall", "malformed")
        waiting = [self.faults.of_kind(kind) for kind in kinds if kind not in self._struck]
        return min((answering_since + fault.after_seconds for fault in waiting if fault is not None), default=None)

    def speech_speed(self, usual: float) -> float:
        """How much faster than it is spoken speech is sent."""
        drip = self.faults.of_kind("drip")
        return usual if drip is None else drip.speed

    def sent_first_byte(self) -> None:
        if self.log.first_byte_at is None:
            self.log.first_byte_at = time.perf_counter()

    def left(self) -> None:
        """The client has left, or cleared what it asked for; not when a fault has cut it off."""
        if self.log.failed in _SURVIVED and not self.log.cancelled and not self.is_complete:
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
        if self.log.failed in _SURVIVED:
            self.account.failed_requests += 1
        self.log.failed = fault


def _dripping(delays: Delays, faults: FaultsOfRequest) -> Delays:
    drip = faults.of_kind("drip")
    return delays if drip is None else replace(delays, tokens_per_second=drip.speed / WORD_SECONDS)


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
