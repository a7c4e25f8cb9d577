"""Callers who publish video, noise, nothing at all, or vanish."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import numpy as np
import psutil
import pytest
from joining import agent_in, joined, new_session, until
from livekit import rtc
from rig import RunningStack

from voiceworker.records import open_records

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

VANISHING_CALLER = """
import asyncio, sys
from livekit import rtc
async def main():
    room = rtc.Room()
    await room.connect(sys.argv[1], sys.argv[2])
    print("joined", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def status_of(stack: RunningStack, session: str) -> tuple[str, str | None]:
    records = open_records(stack.settings.records_url)
    try:
        record = records.sessions.get(session)
        assert record is not None
        return record.status.value, record.reason
    finally:
        records.close()


def jobs_of(stack: RunningStack) -> int:
    records = open_records(stack.settings.records_url)
    try:
        from datetime import UTC, datetime

        return sum(worker.calls for worker in records.workers.live(datetime.now(UTC)))
    finally:
        records.close()


async def answers_a_text(room: rtc.Room) -> bool:
    """Whether the agent still answers: types a question and waits for its voice."""
    agent = agent_in(room)
    assert agent is not None
    await room.local_participant.send_text("where are you", topic="lk.chat")
    await until(lambda: agent.attributes.get("lk.agent.state") == "speaking")
    return True


async def test_a_caller_who_publishes_video_and_no_sound_is_served_by_text(stack: RunningStack) -> None:
    session = await new_session(stack.api_url, stack.api_key)
    async with joined(session["server_url"], session["participant_token"]) as room:
        source = rtc.VideoSource(64, 48)
        with pytest.raises(Exception, match=r"(?i)permission|timed? ?out|not allowed"):  # the token is for a microphone
            async with asyncio.timeout(15):
                await room.local_participant.publish_track(rtc.LocalVideoTrack.create_video_track("cam", source))
        await until(lambda: agent_in(room))
        assert await answers_a_text(room)


async def test_a_caller_who_publishes_noise_is_served(stack: RunningStack) -> None:
    session = await new_session(stack.api_url, stack.api_key)
    async with joined(session["server_url"], session["participant_token"]) as room:
        source = rtc.AudioSource(48_000, 1)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await room.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("mic", source), options)
        noise = np.random.default_rng(7).normal(0, 3000, 48_000 * 3).astype(np.int16)
        for start in range(0, len(noise), 480):
            frame = noise[start : start + 480]
            await source.capture_frame(rtc.AudioFrame(frame.tobytes(), 48_000, 1, len(frame)))
        await until(lambda: agent_in(room))
        assert await answers_a_text(room)


async def test_a_caller_who_is_killed_leaves_no_job_behind(stack: RunningStack) -> None:
    before = jobs_of(stack)
    session = await new_session(stack.api_url, stack.api_key)
    command = [sys.executable, "-c", VANISHING_CALLER, session["server_url"], session["participant_token"]]
    caller = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert caller.stdout is not None
    assert await caller.stdout.readline() == b"joined\n"
    await until(lambda: status_of(stack, session["id"])[0] == "active")
    os.kill(caller.pid, signal.SIGKILL)
    await caller.wait()
    await until(lambda: status_of(stack, session["id"])[0] == "ended", within_seconds=45)
    await until(lambda: jobs_of(stack) <= before, within_seconds=15)
    assert status_of(stack, session["id"]) == ("ended", "caller_left")


async def test_thirty_calls_leave_the_worker_as_it_was(stack: RunningStack) -> None:
    """Threads and descriptors of the worker's own processes; memory is measured by hand: the machine is shared."""
    worker = psutil.Process(stack.stack.worker_pid)

    def held() -> tuple[int, int]:
        lasting = [worker, *(child for child in worker.children() if "multiprocessing" in " ".join(child.cmdline()))]
        return sum(p.num_threads() for p in lasting), sum(p.num_fds() for p in lasting)

    async def one_call() -> None:
        session = await new_session(stack.api_url, stack.api_key)
        async with joined(session["server_url"], session["participant_token"]) as room:
            await until(lambda: room.remote_participants)  # the agent has not yet a voice
            await room.local_participant.send_text("goodbye", topic="lk.chat")
            await until(lambda: room.connection_state == rtc.ConnectionState.CONN_DISCONNECTED, within_seconds=40)
        await until(lambda: status_of(stack, session["id"])[0] == "ended")

    for _ in range(2):
        await one_call()
    await until(lambda: jobs_of(stack) == 0, within_seconds=30)
    before = held()
    for _ in range(5):
        await one_call()
    await until(lambda: jobs_of(stack) == 0, within_seconds=30)
    await until(lambda: held() <= before or held()[1] <= before[1] + 2, within_seconds=60)
