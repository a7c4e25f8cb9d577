from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError

from voiceworker.policy.breaker import BreakerSettings, Remembered, Severity, State
from voiceworker.runtime.chains import Breakers, HttpProbe, Link
from voiceworker.runtime.chains.breakers import Trying
from voiceworker.runtime.chains.links import Failure, GivenUpError, failure_of
from voiceworker.runtime.chains.shared_health import SharedHealth

SETTINGS = BreakerSettings(failures_in_a_row=1, first_open_seconds=10)


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def link(name: str = "openai/a", probe: Any = None) -> Link[object]:
    return Link(name, object(), probe)


def admitted(breakers: Breakers, one: Link[object]) -> Trying:
    trying = breakers.admit("llm", one)
    assert trying is not None
    return trying


async def settled(breakers: Breakers) -> None:
    """Probes and writes are done."""
    async with asyncio.timeout(3):
        while running := breakers._tasks._running:
            await asyncio.wait(set(running))


async def test_the_first_that_may_be_asked_is_asked() -> None:
    breakers = Breakers(settings=SETTINGS, clock=Clock())
    first, second = link("a"), link("b")
    picked = breakers.admit_first("llm", [first, second])
    assert picked is not None
    picked[1].failed(Failure("failed with 503"))
    picked = breakers.admit_first("llm", [first, second])
    assert picked is not None
    assert picked[0] is second


async def test_when_none_may_the_one_whose_time_comes_first_is_asked() -> None:
    clock = Clock()
    breakers = Breakers(settings=SETTINGS, clock=clock)
    first, second = link("a"), link("b")
    admitted(breakers, first).failed(Failure("x", Severity.BUSY, 30))
    clock.now += 5
    admitted(breakers, second).failed(Failure("x"))
    assert breakers.next_deadline("llm", [first, second]) == 10
    picked = breakers.admit_first("llm", [first, second])
    assert picked is not None
    assert picked[0] is second
    assert breakers.admit_first("llm", []) is None


async def test_a_role_has_breakers_of_its_own() -> None:
    breakers = Breakers(settings=SETTINGS, clock=Clock())
    admitted(breakers, link("a")).failed(Failure("x"))
    assert breakers.state("llm", "a") is State.OPEN
    assert breakers.state("tts", "a") is State.CLOSED


async def test_the_next_call_begins_with_the_healthy_one(tmp_path: Path) -> None:
    path, clock = tmp_path / "var" / "providers.json", Clock()
    ended, begun = Breakers(path, settings=SETTINGS, clock=clock), Breakers(path, settings=SETTINGS, clock=clock)
    admitted(ended, link("a")).failed(Failure("x"))
    await settled(ended)
    assert begun.admit("llm", link("a")) is None
    clock.now += 11
    admitted(begun, link("a")).succeeded()
    await settled(begun)
    clock.now += 1
    assert ended.admit("llm", link("a")) is not None
    assert ended.state("llm", "a") is State.CLOSED
    await ended.aclose()
    await begun.aclose()


async def test_a_probe_decides_and_no_caller_pays_for_it() -> None:
    clock, probes = Clock(), []

    async def probe() -> None:
        probes.append(clock.now)

    breakers, one = Breakers(settings=SETTINGS, clock=clock), link(probe=probe)
    admitted(breakers, one).failed(Failure("x"))
    assert breakers.admit("llm", one) is None
    assert probes == []
    clock.now += 11
    assert breakers.admit("llm", one) is None  # this request goes elsewhere, and sets the probe off
    assert breakers.admit("llm", one) is None
    await settled(breakers)
    assert len(probes) == 1
    admitted(breakers, one).failed(Failure("x"))  # it answers, and does not work
    assert breakers.next_deadline("llm", [one]) == 20


async def test_a_probe_that_fails_keeps_it_away() -> None:
    clock = Clock()

    async def probe() -> None:
        raise ConnectionError("no")

    breakers, one = Breakers(settings=SETTINGS, clock=clock), link(probe=probe)
    admitted(breakers, one).failed(Failure("x"))
    clock.now += 11
    breakers.admit("llm", one)
    await settled(breakers)
    assert breakers.state("llm", one.name) is State.OPEN


async def test_a_probe_that_hangs_ends_with_the_call() -> None:
    clock, begun = Clock(), asyncio.Event()

    async def probe() -> None:
        begun.set()
        await asyncio.Event().wait()

    breakers, one = Breakers(settings=SETTINGS, clock=clock), link(probe=probe)
    admitted(breakers, one).failed(Failure("x"))
    clock.now += 11
    breakers.admit("llm", one)
    await begun.wait()
    await breakers.aclose()
    assert breakers.state("llm", one.name) is State.HALF_OPEN


@pytest.mark.parametrize(("status", "works"), [(200, True), (404, True), (401, False), (429, False), (503, False)])
async def test_whoever_answers_a_probe_is_there(status: int, works: bool) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response(status=status)

    app = web.Application()
    app.add_routes([web.get("/v1/models", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    probe = HttpProbe(f"http://127.0.0.1:{runner.addresses[0][1]}/v1/models", {"Authorization": "Bearer planted"})
    try:
        if works:
            await probe()
        else:
            with pytest.raises(ConnectionError):
                await probe()
    finally:
        await runner.cleanup()
    assert seen == ["Bearer planted"]
    assert "planted" not in repr(Link("openai/a", object(), probe)) + repr(probe)


def test_the_later_account_stays(tmp_path: Path) -> None:
    path = tmp_path / "providers.json"
    first, second = SharedHealth(path), SharedHealth(path)
    first.write("llm a", Remembered(20, 30, 1))
    second.write("llm a", Remembered(10, None, 0))
    second.write("llm b", Remembered(10, None, 0))
    assert first.read() == {"llm a": Remembered(20, 30, 1), "llm b": Remembered(10, None, 0)}
    assert first.news() == first.read()
    assert first.news() == {}
    assert [one.name for one in tmp_path.glob("*.part")] == []


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"version": 2}', '{"version": 1, "models": 3}', '{"version": 1, "models": {"a": 1}}'],
)
def test_a_file_that_is_none_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "providers.json"
    path.write_text(content)
    health = SharedHealth(path)
    assert health.read() == {}
    health.write("llm a", Remembered(10, None, 0))
    assert health.read() == {"llm a": Remembered(10, None, 0)}


def test_where_nothing_can_be_written_the_call_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    health = SharedHealth(tmp_path / "file" / "providers.json")
    health.write("llm a", Remembered(10, None, 0))
    assert health.read() == {}
    assert health.news() == {}


@pytest.mark.parametrize(
    ("error", "reason", "severity"),
    [
        (APIStatusError("x", status_code=401), "refused with 401", Severity.LASTING),
        (APIStatusError("x", status_code=400), "failed with 400", Severity.PASSING),
        (APIStatusError("x", status_code=429), "rate limited", Severity.BUSY),
        (APIStatusError("x", status_code=500), "failed with 500", Severity.PASSING),
        (APIStatusError("x", status_code=1011), "closed early", Severity.PASSING),
        (APIStatusError("x", status_code=-1), "closed early", Severity.PASSING),
        (APITimeoutError(), "timed out", Severity.PASSING),
        (TimeoutError(), "timed out", Severity.PASSING),
        (APIConnectionError(), "connection lost", Severity.PASSING),
        (ConnectionResetError(), "connection lost", Severity.PASSING),
        (APIError("sk-planted"), "answered with an error", Severity.PASSING),
        (GivenUpError("no token came"), "no token came", Severity.PASSING),
        (ValueError("sk-planted"), "failed: ValueError", Severity.PASSING),
    ],
)
def test_a_failure_is_told_in_our_own_words(error: Exception, reason: str, severity: Severity) -> None:
    assert failure_of(error) == Failure(reason, severity)
