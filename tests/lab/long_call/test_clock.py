from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine
from typing import Any

from voiceworker.lab.long_call.clock import CLOCK, LeapingLoop


def held(story: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(story)


def test_hours_that_are_only_waited_for_take_no_time() -> None:
    async def story() -> float:
        began = CLOCK.now()
        for _ in range(8):
            await asyncio.sleep(3600)
        return CLOCK.now() - began

    began = time.monotonic()
    assert 8 * 3600 <= held(story()) < 8 * 3600 + 1
    assert time.monotonic() - began < 60


def test_timers_go_off_in_their_order_each_at_its_time() -> None:
    async def story() -> list[int]:
        began, rung = CLOCK.now(), []
        for seconds in (30, 10, 20):
            asyncio.get_running_loop().call_later(seconds, lambda: rung.append(round(CLOCK.now() - began)))
        await asyncio.sleep(31)
        return rung

    assert held(story()) == [10, 20, 30]


def test_it_stands_still_while_a_thread_works() -> None:
    async def story() -> list[str]:
        goes_on, order = threading.Event(), []

        def work() -> None:
            goes_on.wait(10)
            order.append("work")

        loop = asyncio.get_running_loop()
        loop.call_later(3600, order.append, "an hour later")
        threading.Timer(0.1, goes_on.set).start()  # by the machine's own clock
        await asyncio.to_thread(work)
        await asyncio.sleep(3601)
        return order

    assert held(story()) == ["work", "an hour later"]


def test_what_is_sent_over_the_loopback_comes_before_a_timer_of_a_second() -> None:
    async def story() -> bytes:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        answer = b""
        async with server, asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"hello\n")
            answer = await reader.readline()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        return answer

    assert held(story()) == b"hello\n"
