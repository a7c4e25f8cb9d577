"""Deepgram's /v1/listen and /v1/speak (streaming and HTTP) and /v2/listen: which part answers what."""

from __future__ import annotations

import time

from aiohttp import web

from voiceworker.lab.emulators.errors import deepgram_error
from voiceworker.lab.emulators.flux import FluxTranscriber
from voiceworker.lab.emulators.formats import encoder_for
from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.listen_socket import ListenSocket
from voiceworker.lab.emulators.listening import FluxOptions, ListenOptions
from voiceworker.lab.emulators.nova import Nova
from voiceworker.lab.emulators.prerecorded import prerecorded
from voiceworker.lab.emulators.provider import EarlyCloseError, MidstreamError, Provider, abort, api_key_of
from voiceworker.lab.emulators.recorded import recorded, spoiled
from voiceworker.lab.emulators.speaking import SpeakSession
from voiceworker.lab.emulators.transcribing import Transcriber
from voiceworker.lab.emulators.voice import Voice
from voiceworker.lab.emulators.wire import Stream
from voiceworker.runtime.tasks import Tasks

_NOBODY = "00000000-0000-4000-8000-000000000000"


class Deepgram:
    def __init__(self, provider: Provider, expectations: Expectations) -> None:
        self._provider = provider
        self._expectations = expectations
        self._tasks = Tasks()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/listen", self._listen),
            web.post("/v1/listen", self._listen_to_recording),
            web.get("/v2/listen", self._listen_to_turns),
            web.get("/v1/speak", self._speak_stream),
            web.post("/v1/speak", self._speak_once),
            web.get("/v1/auth/token", self._token),
        ]

    async def aclose(self) -> None:
        await self._tasks.aclose()

    async def _token(self, http: web.Request) -> web.StreamResponse:
        """What a key may do: asked to see that it is right and the provider there; costs nothing."""
        if not api_key_of(http):
            return deepgram_error(401)
        return web.json_response({"api_key_id": _NOBODY, "scopes": ["usage:write"], "created": "2026-01-01T00:00:00Z"})

    # --- speech to text ---

    async def _listen(self, http: web.Request) -> web.StreamResponse:
        if not api_key_of(http):
            return deepgram_error(401)
        async with self._provider.serving("stt", http) as job:
            if (status := job.refuse()) is not None:
                return deepgram_error(status, headers=job.refusal_headers())
            try:
                options = ListenOptions.of_query(http.query)
            except ValueError as error:
                return deepgram_error(400, "Bad Request", str(error))
            key, now, late = job.log.api_key, time.perf_counter(), job.faults.late_final_seconds
            heard = Transcriber(options, job.delays, self._expectations, key, now, job.request_id, late)
            return await ListenSocket(self._provider, job, Nova(heard), options, self._tasks).run(http)

    async def _listen_to_turns(self, http: web.Request) -> web.StreamResponse:
        if not api_key_of(http):
            return deepgram_error(401)
        async with self._provider.serving("stt", http) as job:
            if (status := job.refuse()) is not None:
                return deepgram_error(status, headers=job.refusal_headers())
            try:
                terms, hints = http.query.getall("keyterm", []), http.query.getall("language_hint", [])
                options = FluxOptions.of_query(http.query, terms, hints)
            except ValueError as error:
                return deepgram_error(400, "Bad Request", str(error))
            key, now, late = job.log.api_key, time.perf_counter(), job.faults.late_final_seconds
            flux = FluxTranscriber(options, job.delays, self._expectations, key, now, job.request_id, late)
            return await ListenSocket(self._provider, job, flux, options, self._tasks).run(http)

    async def _listen_to_recording(self, http: web.Request) -> web.StreamResponse:
        if not api_key_of(http):
            return deepgram_error(401)
        async with self._provider.serving("stt", http) as job:
            if (status := job.refuse()) is not None:
                return deepgram_error(status, headers=job.refusal_headers())
            data = await http.read()
            try:
                options = ListenOptions.of_query(http.query)
                recording = await recorded(self._provider, job, data, self._expectations)
            except ValueError as error:
                return deepgram_error(400, "Bad Request", f"failed to process audio: {error}")
            if (broken := await spoiled(job)) is not None:
                return broken if isinstance(broken, web.Response) else deepgram_error(broken)
            job.sent_first_byte()
            with_utterances = http.query.get("utterances", "false").lower() == "true"
            return web.json_response(prerecorded(recording, data, options, job.request_id, with_utterances))

    # --- text to speech ---

    async def _speak_stream(self, http: web.Request) -> web.StreamResponse:
        if not api_key_of(http):
            return deepgram_error(401)
        return await SpeakSession(self._provider, http, self._tasks).run()

    async def _speak_once(self, http: web.Request) -> web.StreamResponse:
        if not api_key_of(http):
            return deepgram_error(401)
        async with self._provider.serving("tts", http) as job:
            if (status := job.refuse()) is not None:
                return deepgram_error(status, headers=job.refusal_headers())
            try:
                text = str((await http.json())["text"])
                encoding = http.query.get("encoding", "mp3")
                rate = int(http.query.get("sample_rate", "22050" if encoding == "mp3" else "24000"))
                wav = encoding == "linear16" and http.query.get("container", "wav") == "wav"
                encoder = encoder_for("wav" if wav else encoding, rate)
            except (ValueError, KeyError, TypeError) as error:
                return deepgram_error(400, "Bad Request", f"Unable to read the request: {error}")
            job.log.text = text
            job.account.characters += len(text)
            headers = {"Content-Type": encoder.content_type, "dg-request-id": job.request_id}
            answer = Stream(headers=headers | {"dg-char-count": str(len(text))})

            async def send(data: bytes) -> None:
                if not answer.prepared:
                    await answer.prepare(http)
                if data:
                    await answer.write(data)

            voice = Voice(job, rate, encoder, self._provider.speech_speed, send)
            try:
                await voice.speak(text, job.log.started_at)
                await voice.finish()
            except EarlyCloseError:
                await send(b"")
            except MidstreamError:  # bytes of audio have no room for words: the body ends without its last chunk
                abort(http)
                raise
            await answer.write_eof()
            return answer
