"""OpenAI's HTTP endpoints: which part answers what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web

from voiceworker.lab.emulators.chat import Completion, prompt_tokens
from voiceworker.lab.emulators.errors import openai_error
from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.openai_speech import SpokenText
from voiceworker.lab.emulators.openai_transcription import TranscriptionForm
from voiceworker.lab.emulators.provider import Provider, api_key_of
from voiceworker.lab.emulators.recorded import recorded, spoiled
from voiceworker.lab.emulators.replies import Conversation, Replies, Reply
from voiceworker.lab.emulators.responses_api import Responses
from voiceworker.lab.emulators.transcription_session import TranscriptionSession
from voiceworker.runtime.tasks import Tasks

Handler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]

_MODELS = ("gpt-4.1-mini", "gpt-4.1", "gpt-4o-mini", "gpt-4o-mini-tts", "tts-1", "gpt-4o-mini-transcribe", "whisper-1")


class OpenAI:
    def __init__(self, provider: Provider, expectations: Expectations, replies: Replies) -> None:
        self.replies = replies
        self._provider = provider
        self._expectations = expectations
        self._responses = Responses(provider, lambda: self.replies)

        self._tasks = Tasks()

    async def aclose(self) -> None:
        await self._responses.aclose()
        await self._tasks.aclose()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self._keyed(self._chat)),
            web.post("/v1/responses", self._keyed(self._responses.create)),
            web.get("/v1/responses", self._keyed(self._responses.connect)),
            web.post("/v1/audio/speech", self._keyed(self._speech)),
            web.post("/v1/audio/transcriptions", self._keyed(self._transcription)),
            web.get("/v1/models", self._keyed(self._models)),
            web.get("/v1/", self._keyed(self._nothing)),
        ]

    def _keyed(self, handler: Handler) -> Handler:
        async def checked(http: web.Request) -> web.StreamResponse:
            if not api_key_of(http):
                return openai_error(401, "You didn't provide an API key.")
            return await handler(http)

        return checked

    async def _models(self, http: web.Request) -> web.StreamResponse:
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "openai"} for name in _MODELS]
        return web.json_response({"object": "list", "data": data})

    async def _nothing(self, http: web.Request) -> web.StreamResponse:
        return openai_error(404, f"Invalid URL (GET {http.path})")

    async def _chat(self, http: web.Request) -> web.StreamResponse:
        async with self._provider.serving("llm", http) as job:
            if (status := job.refuse()) is not None:
                return openai_error(status, headers=job.refusal_headers())
            asked = await _json_of(http)
            if asked is None or not isinstance(asked.get("messages"), list):
                return openai_error(400, "We could not parse the JSON body of your request, or 'messages' is missing.")
            job.log.messages = asked["messages"]
            job.log.tools = asked.get("tools") or []
            job.account.prompt_tokens += prompt_tokens(asked)
            conversation = Conversation(job.log.api_key, job.log.messages, job.log.tools)
            chosen = self.replies(conversation)
            completion = Completion(job, asked, Reply(chosen) if isinstance(chosen, str) else chosen)
            return await (completion.stream() if asked.get("stream") else completion.whole())

    async def _speech(self, http: web.Request) -> web.StreamResponse:
        async with self._provider.serving("tts", http) as job:
            if (status := job.refuse()) is not None:
                return openai_error(status, headers=job.refusal_headers())
            asked = await _json_of(http)
            if asked is None or not all(isinstance(asked.get(key), str) for key in ("input", "model", "voice")):
                return openai_error(400, "'input', 'model' and 'voice' are required.")
            try:
                spoken = SpokenText(job, asked, self._provider.speech_speed)
            except ValueError as error:
                return openai_error(400, str(error))
            return await spoken.stream()

    async def _transcription(self, http: web.Request) -> web.StreamResponse:
        async with self._provider.serving("stt", http) as job:
            if (status := job.refuse()) is not None:
                return openai_error(status, headers=job.refusal_headers())
            try:
                form = await TranscriptionForm.of(http)
                recording = await recorded(self._provider, job, form.file, self._expectations)
            except ValueError as error:
                return openai_error(400, str(error))
            usage = form.usage(recording)
            job.account.prompt_tokens += usage.get("input_tokens", 0)
            job.account.completion_tokens += usage.get("output_tokens", 0)
            if (broken := await spoiled(job)) is not None:
                return broken if isinstance(broken, web.Response) else openai_error(broken)
            job.sent_first_byte()
            return await form.stream(http, recording) if form.streams else form.answer(recording)

    async def transcribe_stream(self, http: web.Request) -> web.StreamResponse:
        """GET /v1/realtime?intent=transcription, an upgrade."""
        if not api_key_of(http):
            return openai_error(401, "You didn't provide an API key.")
        async with self._provider.serving("stt", http) as job:
            if (status := job.refuse()) is not None:
                return openai_error(status, headers=job.refusal_headers())
            return await TranscriptionSession(self._provider, job, self._expectations, self._tasks).run()


async def _json_of(http: web.Request) -> dict[str, Any] | None:
    try:
        body = await http.json()
    except (ValueError, UnicodeDecodeError, asyncio.IncompleteReadError):
        return None
    return body if isinstance(body, dict) else None
