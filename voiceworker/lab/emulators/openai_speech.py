"""One text that OpenAI speaks: as the bytes of the audio, or as events that hold them."""

from __future__ import annotations

import base64
from typing import Any

from aiohttp import web

from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.emulators.chat import server_sent_event
from voiceworker.lab.emulators.errors import openai_error_body
from voiceworker.lab.emulators.formats import encoder_for
from voiceworker.lab.emulators.provider import EarlyCloseError, Job, MidstreamError, abort
from voiceworker.lab.emulators.voice import Voice
from voiceworker.lab.emulators.wire import Stream

_TOKENS_PER_SECOND = 20
"as OpenAI bills the speech of gpt-4o-mini-tts, roughly"


class SpokenText:
    def __init__(self, job: Job, asked: dict[str, Any], speed: float) -> None:
        """Raises ValueError for a format that is not offered."""
        encoder = encoder_for(asked.get("response_format", "mp3"), SAMPLE_RATE)
        self._job = job
        job.log.text = asked["input"]
        job.account.characters += len(job.log.text)
        self._as_events = asked.get("stream_format") == "sse"
        content_type = "text/event-stream" if self._as_events else encoder.content_type
        self._answer = Stream(headers={"Content-Type": content_type, "x-request-id": job.request_id})
        self._voice = Voice(job, SAMPLE_RATE, encoder, speed, self._send)

    async def stream(self) -> web.StreamResponse:
        before = self._job.account.audio_seconds
        try:
            await self._voice.speak(self._job.log.text, self._job.log.started_at)
            await self._voice.finish()
            if self._as_events:
                usage = _usage(self._job.log.text, self._job.account.audio_seconds - before)
                await self._write(server_sent_event({"type": "speech.audio.done", "usage": usage}))
        except EarlyCloseError:
            await self._write(b"")
        except MidstreamError as error:
            if not self._as_events:  # bytes of audio have no room for words: the body ends without its last chunk
                abort(self._job.http)
                raise
            await self._write(server_sent_event({"type": "error", "error": openai_error_body(error.status)}))
        await self._answer.write_eof()
        return self._answer

    async def _send(self, data: bytes) -> None:
        if self._as_events:
            data = server_sent_event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})
        await self._write(data)

    async def _write(self, data: bytes) -> None:
        if not self._answer.prepared:
            await self._answer.prepare(self._job.http)
        if data:
            await self._answer.write(data)


def _usage(text: str, seconds: float) -> dict[str, int]:
    read, made = len(text.split()), round(seconds * _TOKENS_PER_SECOND)
    return {"input_tokens": read, "output_tokens": made, "total_tokens": read + made}
