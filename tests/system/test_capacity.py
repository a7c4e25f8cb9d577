"""As many calls at once as there are places, all of them served; one more is told so at once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import aiohttp
import pytest
from joining import agent_in, joined, new_session, until
from rig import RunningStack

from voiceworker.records import open_records

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


def free_places(stack: RunningStack) -> int:
    records = open_records(stack.settings.records_url)
    try:
        return sum(worker.free_slots for worker in records.workers.live(datetime.now(UTC)))
    finally:
        records.close()


async def test_every_place_is_used_and_the_next_caller_is_told_that_there_is_none(stack: RunningStack) -> None:
    places = stack.settings.max_calls
    await until(lambda: free_places(stack) == places, within_seconds=45)
    sessions = await asyncio.gather(*[new_session(stack.api_url, stack.api_key) for _ in range(places)])
    async with AsyncExitStack() as calls:
        rooms = [
            await calls.enter_async_context(joined(session["server_url"], session["participant_token"]))
            for session in sessions
        ]
        await until(lambda: all(agent_in(room) for room in rooms), within_seconds=30)
        with pytest.raises(aiohttp.ClientResponseError, match="503") as refused:
            await new_session(stack.api_url, stack.api_key)
        assert refused.value.headers is not None
        assert int(refused.value.headers["Retry-After"]) > 0
        await until(lambda: free_places(stack) == 0)  # else what follows is true of a heartbeat from before the calls
    await until(lambda: free_places(stack) == places, within_seconds=45)
