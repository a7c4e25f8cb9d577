"""A request to transcribe a recording, whichever provider it is for: delays, faults, the bill and the log."""

from __future__ import annotations

import time

from aiohttp import web

from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.provider import NO_JSON, EarlyCloseError, Job, MidstreamError, Provider, sleep_until
from voiceworker.lab.emulators.recordings import Recording, transcribed
from voiceworker.lab.emulators.requests import Transcript


async def recorded(provider: Provider, job: Job, data: bytes, expectations: Expectations) -> Recording:
    """What is heard in it, when the provider would have it. Raises ValueError when it is no audio."""
    now = time.perf_counter()
    recording = transcribed(data, expectations, job.log.api_key, now)
    job.account.audio_seconds += recording.seconds
    await sleep_until(now + job.delays.final_seconds + job.faults.late_final_seconds)
    await job.after_sending(job.delays.final_seconds)
    if recording.text:
        key, name, sent_at = job.log.api_key, recording.speech_name, time.perf_counter()
        provider.transcripts.append(Transcript(key, name, recording.text, True, True, sent_at))
    return recording


async def spoiled(job: Job) -> web.Response | int | None:
    """Before a whole answer: what comes in its stead, or the status of an error. None: all is well."""
    try:
        is_nonsense = await job.before_sending(None)
    except EarlyCloseError:
        is_nonsense = True
    except MidstreamError as error:
        return error.status
    return web.Response(text=NO_JSON, content_type="application/json") if is_nonsense else None
