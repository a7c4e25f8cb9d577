"""One connection to /v1/realtime?intent=transcription: audio in, OpenAI's transcripts of what is committed out."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import copy
import itertools
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
from aiohttp import WSCloseCode, WSMsgType, web

from voiceworker.lab.emulators.errors import openai_error_body
from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.openai_transcription import token_usage
from voiceworker.lab.emulators.provider import NO_JSON, EarlyCloseError, Job, MidstreamError, Provider
from voiceworker.lab.emulators.realtime_hearing import Committed, InputBuffer, SpeechStarted
from voiceworker.lab.emulators.requests import Transcript
from voiceworker.lab.emulators.running_words import RunningWords
from voiceworker.lab.emulators.wire import Socket
from voiceworker.runtime.tasks import Tasks

Event = dict[str, Any]

RATE = 24000
_SESSION_SECONDS = 3600
_DETECTION = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}
_WITHOUT_DETECTION = ("gpt-realtime-whisper", "gpt-live-transcribe")
"models that transcribe while they hear, and leave it to the client to say where a turn ends"


class _ClientError(ValueError):
    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class TranscriptionSession:
    def __init__(self, provider: Provider, job: Job, expectations: Expectations, tasks: Tasks) -> None:
        self._provider = provider
        self._job = job
        self._tasks = tasks
        self._socket = Socket(max_msg_size=16 << 20)
        self._outbox: asyncio.Queue[Event] = asyncio.Queue()
        self._opened_at = time.perf_counter()
        self._numbers = itertools.count(1)
        self._buffer = InputBuffer(expectations, job.log.api_key)
        self._running = RunningWords(expectations, job)
        self._transcribing: list[asyncio.Task[None]] = []
        self._item_id = _new_id()
        "of the item that the audio now heard will be"
        self._before: str | None = None
        self._input: Event = {
            "format": {"type": "audio/pcm", "rate": RATE},
            "transcription": None,
            "noise_reduction": None,
            "turn_detection": _DETECTION,
        }
        self._orders: dict[str, Callable[[Event], None]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
        }

    async def run(self) -> web.StreamResponse:
        await self._socket.prepare(self._job.http)
        self._opened_at = time.perf_counter()
        self._tell("session.created", session=self._session())
        sender = self._tasks.spawn(self._send(), "transcripts of a session")
        try:
            await self._receive()
        finally:
            self._job.is_complete = not any(not task.done() for task in self._transcribing)
            owned = [sender, *self._transcribing]
            for task in owned:
                task.cancel()
            await asyncio.wait(owned)
        return self._socket

    # --- in ---

    async def _receive(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                continue
            event: Event = {}
            try:
                event = json.loads(message.data)
                self._orders[event["type"]](event)
            except _ClientError as error:
                self._refuse(event, str(error), error.code)
            except (ValueError, KeyError, TypeError):
                self._refuse(event, "Invalid value: the event is none of a transcription session.", "invalid_value")

    def _refuse(self, event: Event, message: str, code: str) -> None:
        asked_by = event.get("event_id") if isinstance(event, dict) else None
        body = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
        self._tell("error", error=body | {"event_id": asked_by})

    def _update(self, event: Event) -> None:
        session = event["session"]
        if session.get("type") != "transcription":
            raise _ClientError("A session with this intent is of type 'transcription'.", "invalid_value")
        given = copy.deepcopy((session.get("audio") or {}).get("input") or {})
        transcription = given.pop("transcription", None)
        model = (transcription or self._input["transcription"] or {}).get("model", "")
        if model.startswith(_WITHOUT_DETECTION):
            if given.get("turn_detection") is not None:
                raise _ClientError(f"Turn detection is not supported for model '{model}'.", "invalid_value")
            given["turn_detection"] = None
        if transcription is not None:
            self._input["transcription"] = (self._input["transcription"] or {}) | transcription
        self._input |= given
        self._buffer.turn_detection = self._input["turn_detection"]
        self._tell("session.updated", session=self._session())

    def _append(self, event: Event) -> None:
        try:
            samples = np.frombuffer(base64.b64decode(event["audio"], validate=True), "<i2").astype(np.int16)
        except (ValueError, binascii.Error) as error:
            raise _ClientError("Invalid 'audio'. Expected base64-encoded audio bytes.", "invalid_value") from error
        now = time.perf_counter()
        for found in self._buffer.append(samples, now):
            if isinstance(found, SpeechStarted):
                self._item_id = _new_id()
                at = {"audio_start_ms": round(found.at_seconds * 1000), "item_id": self._item_id}
                self._tell("input_audio_buffer.speech_started", **at)
            else:
                at = {"audio_end_ms": round(found.at_seconds * 1000), "item_id": self._item_id}
                self._tell("input_audio_buffer.speech_stopped", **at)
                self._take(self._buffer.commit(now))
        if self._input["turn_detection"] is None and (delta := self._running.hear(samples, now)):
            self._transcription("delta", self._item_id, delta=delta, logprobs=None)

    def _commit(self, event: Event) -> None:
        if not self._take(self._buffer.commit(time.perf_counter())):
            message = "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio."
            raise _ClientError(message, "input_audio_buffer_commit_empty")

    def _clear(self, event: Event) -> None:
        self._buffer.clear()
        self._tell("input_audio_buffer.cleared")

    def _take(self, committed: Committed | None) -> bool:
        if committed is None:
            return False
        item_id, before = self._item_id, self._before
        self._item_id, self._before = _new_id(), item_id
        self._tell("input_audio_buffer.committed", previous_item_id=before, item_id=item_id)
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": item_id, "type": "message", "status": "completed", "role": "user", "content": content}
        for kind in ("conversation.item.added", "conversation.item.done"):
            self._tell(kind, previous_item_id=before, item=item)
        told = self._running.commit()
        self._transcribing = [task for task in self._transcribing if not task.done()]
        self._transcribing.append(self._tasks.spawn(self._transcribe(item_id, committed, told), "a transcript"))
        return True

    async def _transcribe(self, item_id: str, committed: Committed, told: str) -> None:
        """`told`: of its words, by deltas."""
        await asyncio.sleep(self._job.delays.final_seconds + self._job.faults.late_final_seconds)
        text = committed.text
        rest = text.removeprefix(told) if text.startswith(told) else ""
        for delta in _words_of(rest):
            self._transcription("delta", item_id, delta=delta, logprobs=None)
        usage = token_usage(committed.seconds, text)
        account, key = self._job.account, self._job.log.api_key
        account.audio_seconds += committed.seconds
        account.prompt_tokens += usage["input_tokens"]
        account.completion_tokens += usage["output_tokens"]
        self._transcription("completed", item_id, transcript=text, usage=usage, logprobs=None)
        if text:
            sent = Transcript(key, committed.speech, text, True, True, time.perf_counter())
            self._provider.transcripts.append(sent)

    # --- out ---

    def _tell(self, kind: str, **fields: Any) -> None:
        event_id = f"event_{uuid.uuid4().hex[:12]}_{next(self._numbers)}"
        self._outbox.put_nowait({"type": kind, "event_id": event_id} | fields)

    def _transcription(self, kind: str, item_id: str, **fields: Any) -> None:
        self._tell(f"conversation.item.input_audio_transcription.{kind}", item_id=item_id, content_index=0, **fields)

    def _session(self) -> Event:
        return {
            "id": f"sess_{self._job.request_id}",
            "object": "realtime.transcription_session",
            "type": "transcription",
            "expires_at": int(time.time()) + _SESSION_SECONDS,
            "include": None,
            "audio": {"input": copy.deepcopy(self._input)},
        }

    async def _send(self) -> None:
        """Until the connection ends, or a fault ends it."""
        try:
            while True:
                await self._send_next()
        except EarlyCloseError:
            await self._socket.close()
        except MidstreamError as error:
            body = openai_error_body(error.status) | {"event_id": None}
            await self._socket.send_json({"type": "error", "event_id": "event_last", "error": body})
            await self._socket.close(code=WSCloseCode.INTERNAL_ERROR)
        except ConnectionError:
            pass

    async def _send_next(self) -> None:
        strike_at = self._job.next_strike_at(self._opened_at)
        timeout = None if strike_at is None else max(0.0, strike_at - time.perf_counter())
        event: Event | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                event = await self._outbox.get()
        if await self._job.before_sending(self._opened_at):
            await self._socket.send_str(NO_JSON)
        if event is not None:
            await self._socket.send_json(event)
            if event["type"].endswith("transcription.completed"):
                self._job.sent_first_byte()
            await self._job.after_sending(self._job.delays.interim_every_seconds)


def _new_id() -> str:
    return f"item_{uuid.uuid4().hex[:20]}"


def _words_of(text: str) -> list[str]:
    words = text.split()
    return [word if index == 0 and not text.startswith(" ") else f" {word}" for index, word in enumerate(words)]
