"""/v1/responses: by HTTP, streamed or whole, and by a WebSocket on which one response follows another."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable

from aiohttp import WSCloseCode, WSMsgType, web

from voiceworker.lab.emulators.chat import server_sent_event
from voiceworker.lab.emulators.errors import openai_error, openai_error_body
from voiceworker.lab.emulators.faults import FaultsOfRequest
from voiceworker.lab.emulators.provider import NO_JSON, EarlyCloseError, Job, Provider
from voiceworker.lab.emulators.replies import Conversation, Replies, Reply
from voiceworker.lab.emulators.responses import ResponseInMaking, whole_response
from voiceworker.lab.emulators.responses_context import Asked, Message, ResponseMemory, UnknownResponseError
from voiceworker.lab.emulators.wire import Socket, Stream
from voiceworker.runtime.tasks import Tasks


class Responses:
    def __init__(self, provider: Provider, replies: Callable[[], Replies]) -> None:
        """`replies()`: those that hold at that moment."""
        self._provider = provider
        self._replies = replies
        self._memory = ResponseMemory()
        self._tasks = Tasks()

    async def aclose(self) -> None:
        await self._tasks.aclose()

    async def create(self, http: web.Request) -> web.StreamResponse:
        """POST /v1/responses"""
        async with self._provider.serving("llm", http) as job:
            if (status := job.refuse()) is not None:
                return openai_error(status, headers=job.refusal_headers())
            try:
                body = await http.json()
                making = self.begin(job, body)
            except UnknownResponseError as error:
                return openai_error(400, str(error), code="previous_response_not_found")
            except (ValueError, AttributeError) as error:
                return openai_error(400, str(error))
            if body.get("stream"):
                return await self._stream(job, making)
            status, response = await whole_response(making)
            if response is None:
                return web.Response(text=NO_JSON, content_type="application/json")
            return openai_error(status) if status != 200 else web.json_response(response)

    def begin(self, job: Job, body: Message) -> ResponseInMaking:
        """Raises ValueError for what is no request."""
        asked: Asked = self._memory.read(body, job.log.api_key)
        job.log.messages = asked.conversation()
        job.log.tools = list(asked.tools)
        chosen = self._replies()(Conversation(job.log.api_key, job.log.messages, job.log.tools))
        return ResponseInMaking(job, asked, Reply(chosen) if isinstance(chosen, str) else chosen, self._memory)

    async def _stream(self, job: Job, making: ResponseInMaking) -> web.StreamResponse:
        answer = Stream(headers={"Content-Type": "text/event-stream; charset=utf-8", "x-request-id": job.request_id})
        await answer.prepare(job.http)
        with contextlib.suppress(EarlyCloseError):
            async for event in making.events():
                named = b"" if event is None else f"event: {event['type']}\n".encode()
                await answer.write(
                    named + (f"data: {NO_JSON}\n\n".encode() if event is None else server_sent_event(event))
                )
        await answer.write_eof()
        return answer

    # --- the WebSocket ---

    async def connect(self, http: web.Request) -> web.StreamResponse:
        """GET /v1/responses, an upgrade. Each `response.create` on it is a request in the bill and in the log."""
        faults = self._provider.draw("llm", http)
        if faults.of_kind("refuse") or faults.of_kind("status"):
            job = self._provider.begin("llm", http, faults)
            try:
                status = job.refuse()
            finally:
                job.end()
            return openai_error(status or 503, headers=job.refusal_headers())
        return await _ResponseSocket(self, self._provider, http, faults, self._tasks).run()


class _ResponseSocket:
    """One response at a time, in the order in which they were asked for."""

    def __init__(
        self,
        responses: Responses,
        provider: Provider,
        http: web.Request,
        first_faults: FaultsOfRequest,
        tasks: Tasks,
    ) -> None:
        self._responses = responses
        self._provider = provider
        self._http = http
        self._first_faults: FaultsOfRequest | None = first_faults
        "drawn when the connection was opened, for the first request on it"
        self._tasks = tasks
        self._socket = Socket()
        self._orders: asyncio.Queue[str] = asyncio.Queue()
        self._job: Job | None = None

    async def run(self) -> web.StreamResponse:
        await self._socket.prepare(self._http)
        worker = self._tasks.spawn(self._work(), "responses")
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    self._orders.put_nowait(message.data)
        finally:
            worker.cancel()
            if self._job is not None:  # before anything is awaited: the client's leaving may cancel this
                self._job.left()
                self._job.end()
            await asyncio.wait([worker])
        return self._socket

    async def _work(self) -> None:
        try:
            while True:
                await self._answer(await self._orders.get())
        except EarlyCloseError:
            await self._socket.close()
        except ConnectionError:
            if not self._socket.closed:
                await self._socket.close(code=WSCloseCode.INTERNAL_ERROR)

    async def _answer(self, order: str) -> None:
        try:
            body = json.loads(order)
            kind = body.get("type")
        except (ValueError, AttributeError):
            kind = None
        if kind != "response.create":
            await self._refuse(400, "Invalid event: 'type' must be 'response.create'.")
            return
        faults = self._first_faults or self._provider.draw("llm", self._http)
        self._first_faults = None
        job = self._job = self._provider.begin("llm", self._http, faults)
        try:
            await self._respond(job, body)
        finally:
            job.end()
        self._job = None

    async def _respond(self, job: Job, body: Message) -> None:
        if (status := job.refuse()) is not None:
            await self._refuse(status)
            return
        try:
            making = self._responses.begin(job, body)
        except UnknownResponseError as error:
            await self._refuse(400, str(error), "previous_response_not_found")
            return
        except (ValueError, AttributeError) as error:
            await self._refuse(400, str(error))
            return
        async for event in making.events():
            if event is None:
                await self._socket.send_str(NO_JSON)
            else:
                await self._socket.send_json(event)

    async def _refuse(self, status: int, message: str = "", code: str | None = None) -> None:
        error = openai_error_body(status, message, code)
        await self._socket.send_json({"type": "error", "status": status, "error": error})
