"""One connection to the emulated Realtime API: the client's events in, the provider's out."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import itertools
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web

from voiceworker.lab.emulators.errors import openai_error_body
from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.provider import NO_JSON, EarlyCloseError, FaultError, Job, MidstreamError, abort
from voiceworker.lab.emulators.realtime_hearing import InputBuffer, SpeechStarted
from voiceworker.lab.emulators.realtime_items import (
    INPUT_AUDIO_TOKENS_PER_SECOND,
    Conversation,
    Item,
    Tokens,
    as_chat,
    item_of,
    text_tokens,
    tokens_of_tools,
    tools_as_chat,
)
from voiceworker.lab.emulators.realtime_options import SessionOptions
from voiceworker.lab.emulators.realtime_response import Asked, Event, Response, heard_words
from voiceworker.lab.emulators.replies import Conversation as Asking
from voiceworker.lab.emulators.replies import Replies, Reply
from voiceworker.lab.emulators.requests import Transcript
from voiceworker.lab.emulators.wire import Socket
from voiceworker.runtime.tasks import Tasks


class ClientError(Exception):
    """The client's event was wrong: it is told, and the session goes on."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class RealtimeSession:
    def __init__(
        self,
        job: Job,
        model: str,
        session_id: str,
        expectations: Expectations,
        replies: Callable[[], Replies],
        speech_speed: float,
        transcripts: list[Transcript],
        tasks: Tasks,
    ) -> None:
        self.conversation = Conversation()
        self.received: list[Event] = []
        self.usages: list[Event] = []
        self.is_expired = False
        self._job = job
        self._options = SessionOptions(session_id, model)
        self._replies = replies
        self._speech_speed = speech_speed
        self._transcripts = transcripts
        self._tasks = tasks
        self._input = InputBuffer(expectations, job.log.api_key)
        self._socket = Socket(max_msg_size=16 << 20)
        self._outbox: asyncio.Queue[Event] = asyncio.Queue()
        self._opened_at = time.perf_counter()
        self._numbers = itertools.count(1)
        self._conversation_id = f"conv_{uuid.uuid4().hex[:20]}"
        self._responding: Response | None = None
        self._response_task: asyncio.Task[None] | None = None
        self._transcribing: list[asyncio.Task[None]] = []
        self._read = Tokens()
        "of the context, what the last response has read: it costs less the next time"
        self._speech_item = ""
        "the item that the speech now heard will be"
        self._answers: dict[str, Callable[[Event], None]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.delete": self._delete_item,
            "conversation.item.truncate": self._truncate,
            "conversation.item.retrieve": self._retrieve,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    async def run(self, http: web.Request, session_seconds: float) -> web.StreamResponse:
        await self._socket.prepare(http)
        self._opened_at = time.perf_counter()
        expires_at = int(time.time() + session_seconds)
        self.tell({"type": "session.created", "session": self._options.on_wire(expires_at)})
        sender = self._tasks.spawn(self._send(session_seconds), "events of a realtime session")
        try:
            await self._receive()
        finally:
            self._job.is_complete = self._responding is None
            owned = [sender, *self._transcribing, *([self._response_task] if self._response_task else [])]
            for task in owned:
                task.cancel()
            await asyncio.wait(owned)
        return self._socket

    def break_off(self) -> None:
        self._job.log.failed = "reset"
        abort(self._job.http)

    # --- out ---

    def tell(self, event: Event) -> None:
        self._outbox.put_nowait({"event_id": f"event_{uuid.uuid4().hex[:12]}_{next(self._numbers)}"} | event)

    def add(self, item: Item) -> str | None:
        return self.conversation.insert(item, None)

    async def _send(self, session_seconds: float) -> None:
        """Until the session's time is over or a fault strikes; then it ends the connection."""
        with contextlib.suppress(ConnectionError):
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + session_seconds):
                    while True:
                        await self._send_next()
            except TimeoutError:
                self.is_expired = True
                minutes = round(session_seconds / 60)
                message = f"Your session hit the maximum duration of {minutes} minutes."
                await self._end({"type": "invalid_request_error", "code": "session_expired", "message": message})
            except MidstreamError as error:
                await self._end(openai_error_body(error.status))
            except EarlyCloseError:
                await self._socket.close()
            except FaultError:
                abort(self._job.http)

    async def _send_next(self) -> None:
        strike = self._job.next_strike_at(self._opened_at)
        timeout = None if strike is None else max(0.0, strike - time.perf_counter())
        event: Event | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                event = await self._outbox.get()
        if await self._job.before_sending(self._opened_at):
            await self._socket.send_str(NO_JSON)
        if event is not None:
            await self._socket.send_str(json.dumps(event))

    async def _end(self, error: dict[str, Any]) -> None:
        body = {"event_id": None, "param": None} | error
        await self._socket.send_str(
            json.dumps({"type": "error", "event_id": f"event_{uuid.uuid4().hex[:12]}", "error": body})
        )
        await self._socket.close(code=1001)

    # --- in ---

    async def _receive(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                event = json.loads(message.data)
                kind = event["type"]
            except (ValueError, KeyError, TypeError):
                self._refuse({}, ClientError("The event could not be parsed.", "invalid_json"))
                continue
            self.received.append({**event, "audio": ""} if "audio" in event else event)
            try:
                if kind not in self._answers:
                    raise ClientError(f"Invalid value: '{kind}'.", "invalid_value")
                self._answers[kind](event)
            except ClientError as error:
                self._refuse(event, error)

    def _refuse(self, event: Event, error: ClientError) -> None:
        body = {"type": "invalid_request_error", "code": error.code, "message": str(error), "param": None}
        self.tell({"type": "error", "error": body | {"event_id": event.get("event_id")}})

    def _update(self, event: Event) -> None:
        try:
            self._options.update(event["session"])
        except (KeyError, ValueError) as error:
            raise ClientError(str(error), "invalid_value") from error
        self._input.turn_detection = self._options.turn_detection
        self.tell({"type": "session.updated", "session": self._options.on_wire()})

    # --- the caller's audio ---

    def _append(self, event: Event) -> None:
        try:
            samples = np.frombuffer(base64.b64decode(event["audio"], validate=True), np.int16)
        except (KeyError, ValueError, binascii.Error) as error:
            raise ClientError("Invalid 'audio'. Expected base64-encoded audio bytes.", "invalid_value") from error
        for found in self._input.append(samples, time.perf_counter()):
            if isinstance(found, SpeechStarted):
                self._speech_item = f"item_{uuid.uuid4().hex[:20]}"
                at = {"audio_start_ms": round(found.at_seconds * 1000), "item_id": self._speech_item}
                self.tell({"type": "input_audio_buffer.speech_started"} | at)
                if self._options.interrupts:
                    self._stop("turn_detected")
            else:
                at = {"audio_end_ms": round(found.at_seconds * 1000), "item_id": self._speech_item}
                self.tell({"type": "input_audio_buffer.speech_stopped"} | at)
                self._take_input(self._speech_item)
                if self._options.answers and self._responding is None:
                    self._respond({})

    def _commit(self, event: Event) -> None:
        if not self._take_input(f"item_{uuid.uuid4().hex[:20]}"):
            message = "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio."
            raise ClientError(message, "input_audio_buffer_commit_empty")

    def _take_input(self, item_id: str) -> bool:
        committed = self._input.commit(time.perf_counter())
        if committed is None:
            return False
        item = Item(item_id, "message", role="user", text=committed.text, audio_seconds=committed.seconds)
        before = self.conversation.insert(item, None)
        self.tell({"type": "input_audio_buffer.committed", "previous_item_id": before, "item_id": item_id})
        self._tell_added(item, before)
        if self._options.transcription is not None:
            work = self._transcribe(item, committed.speech)
            self._transcribing = [task for task in self._transcribing if not task.done()]
            self._transcribing.append(self._tasks.spawn(work, "a transcript"))
        return True

    def _clear(self, event: Event) -> None:
        self._input.clear()
        self.tell({"type": "input_audio_buffer.cleared"})

    async def _transcribe(self, item: Item, speech: str) -> None:
        await asyncio.sleep(self._job.delays.final_seconds)
        place = {"item_id": item.id, "content_index": 0}
        kind = "conversation.item.input_audio_transcription"
        if item.text:
            self.tell(place | {"type": f"{kind}.delta", "delta": item.text, "logprobs": None})
        audio = round(item.audio_seconds * INPUT_AUDIO_TOKENS_PER_SECOND)
        text = text_tokens(item.text)
        usage = {
            "type": "tokens",
            "total_tokens": audio + text,
            "input_tokens": audio,
            "output_tokens": text,
            "input_token_details": {"text_tokens": 0, "audio_tokens": audio},
        }
        self.tell(place | {"type": f"{kind}.completed", "transcript": item.text, "usage": usage, "logprobs": None})
        key = self._job.log.api_key
        self._transcripts.append(Transcript(key, speech, item.text, True, True, time.perf_counter()))

    # --- the conversation ---

    def _tell_added(self, item: Item, before: str | None) -> None:
        for kind in ("conversation.item.added", "conversation.item.done"):
            self.tell({"type": kind, "previous_item_id": before, "item": item.on_wire()})

    def _create_item(self, event: Event) -> None:
        try:
            described = event["item"]
            item_id = described.get("id") or f"item_{uuid.uuid4().hex[:20]}"
            item = item_of(described, item_id)
        except (KeyError, ValueError, AttributeError) as error:
            raise ClientError(str(error), "invalid_value") from error
        if self.conversation.holds(item_id):
            raise ClientError(f"Item with item_id already exists: '{item_id}'.", "item_create_duplicate_item_id")
        try:
            before = self.conversation.insert(item, event.get("previous_item_id"))
        except KeyError as error:
            raise ClientError(f"Previous item with ID {error} not found.", "item_create_invalid_previous") from error
        self._tell_added(item, before)

    def _delete_item(self, event: Event) -> None:
        item = self._item_of(event)
        self.conversation.delete(item.id)
        self.tell({"type": "conversation.item.deleted", "item_id": item.id})

    def _truncate(self, event: Event) -> None:
        item, end_ms = self._item_of(event), int(event.get("audio_end_ms", 0))
        if item.role != "assistant" or not item.is_audio:
            raise ClientError("Only model output audio messages can be truncated", "invalid_item")
        if end_ms > item.audio_seconds * 1000 + 1:
            message = f"Audio content of {item.audio_seconds * 1000:.0f}ms is already shorter than {end_ms}ms"
            raise ClientError(message, "invalid_value")
        item.text = heard_words(item, end_ms / 1000, self._job.delays.leading_silence_seconds)
        item.audio_seconds = end_ms / 1000
        place = {"item_id": item.id, "content_index": 0, "audio_end_ms": end_ms}
        self.tell({"type": "conversation.item.truncated"} | place)

    def _retrieve(self, event: Event) -> None:
        item = self._item_of(event)
        self.tell({"type": "conversation.item.retrieved", "item": item.on_wire(transcript=item.text)})

    def _item_of(self, event: Event) -> Item:
        item_id = str(event.get("item_id", ""))
        try:
            return self.conversation.get(item_id)
        except KeyError as error:
            raise ClientError(f"Item with item_id not found: '{item_id}'.", "item_not_found") from error

    # --- responses ---

    def _respond(self, event: Event) -> None:
        if self._responding is not None:
            message = "Conversation already has an active response in progress."
            raise ClientError(message, "conversation_already_has_active_response")
        asked = event.get("response") or {}
        instructions = asked.get("instructions") or self._options.instructions
        tools = tools_as_chat(asked["tools"] if asked.get("tools") is not None else self._options.tools)
        if (asked.get("tool_choice") or self._options.tool_choice) == "none":
            tools = []
        messages = as_chat(instructions, self.conversation.items)
        self._job.log.messages, self._job.log.tools = messages, tools
        chosen = self._replies()(Asking(self._job.log.api_key, messages, tools))
        reply = Reply(chosen) if isinstance(chosen, str) else chosen
        read = self.conversation.tokens() + Tokens(text=text_tokens(instructions) + tokens_of_tools(tools))
        cached = Tokens(min(read.text, self._read.text), min(read.audio, self._read.audio))
        self._read = read
        modalities = asked.get("output_modalities") or self._options.output_modalities
        what = Asked(
            "audio" in modalities, self._options.voice, asked.get("metadata"), read, cached, self._conversation_id
        )
        self._responding = Response(self._job, what, reply, self, self._speech_speed)
        self._response_task = self._tasks.spawn(self._run_response(self._responding), "a response")

    async def _run_response(self, response: Response) -> None:
        try:
            await response.run()
        finally:
            if self._responding is response:
                self._responding = None
            self.usages.append(response.usage())

    def _cancel(self, event: Event) -> None:
        if self._responding is None or event.get("response_id") not in (None, self._responding.id):
            raise ClientError("Cancellation failed: no active response found", "response_cancel_not_active")
        self._stop("client_cancelled")

    def _stop(self, reason: str) -> None:
        if self._responding is not None and self._response_task is not None:
            self._responding.reason = reason
            self._response_task.cancel()
            self._responding = None
