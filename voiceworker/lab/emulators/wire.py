"""Everything that clients and emulators say to each other, as it went over the wire. Keys are left out."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

Direction = Literal["received", "sent"]
FrameKind = Literal["body", "event", "text", "binary"]
"""body: of an HTTP request or a whole answer. event: one server-sent event's data. text, binary: of a WebSocket, or a
piece of a streamed body."""

_SECRET_HEADERS = frozenset({"authorization", "api-key", "xi-api-key", "sec-websocket-key", "sec-websocket-protocol"})


@dataclass(frozen=True, slots=True)
class Frame:
    at: float
    "moment of `time.perf_counter`"
    direction: Direction
    "as the emulator sees it"
    kind: FrameKind
    data: str | bytes

    @property
    def message(self) -> Any:
        """The JSON that it holds. Raises ValueError when it holds none."""
        return json.loads(self.data)


@dataclass(slots=True)
class Exchange:
    """One HTTP request with its answer, or one WebSocket connection."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    "in lower case"
    frames: list[Frame] = field(default_factory=list)
    status: int | None = None
    "None: it was never answered"

    @property
    def is_socket(self) -> bool:
        return self.headers.get("upgrade", "").lower() == "websocket"

    def messages(self, direction: Direction) -> list[Any]:
        """The JSON of all frames that hold text. Raises ValueError when one holds none."""
        texts = [frame for frame in self.frames if frame.direction == direction and frame.kind in ("event", "text")]
        return [frame.message for frame in texts if frame.data != "[DONE]"]

    def record(self, direction: Direction, kind: FrameKind, data: str | bytes) -> None:
        self.frames.append(Frame(time.perf_counter(), direction, kind, data))


_EXCHANGE = web.RequestKey("exchange", Exchange)


class Socket(web.WebSocketResponse):
    """A WebSocket that is recorded when its request is."""

    _exchange: Exchange | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        self._exchange = exchange_of(request)
        return await super().prepare(request)

    async def send_str(self, data: str, compress: int | None = None) -> None:
        if self._exchange is not None:
            self._exchange.record("sent", "text", data)
        await super().send_str(data, compress)

    async def send_bytes(self, data: bytes, compress: int | None = None) -> None:
        if self._exchange is not None:
            self._exchange.record("sent", "binary", data)
        await super().send_bytes(data, compress)

    async def receive(self, timeout: float | None = None) -> aiohttp.WSMessage:
        message = await super().receive(timeout)
        if self._exchange is not None and message.type is aiohttp.WSMsgType.TEXT:
            self._exchange.record("received", "text", message.data)
        elif self._exchange is not None and message.type is aiohttp.WSMsgType.BINARY:
            self._exchange.record("received", "binary", bytes(message.data))
        return message


class Stream(web.StreamResponse):
    """A streamed answer that is recorded when its request is: server-sent events one by one, all else in pieces."""

    _exchange: Exchange | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        self._exchange = exchange_of(request)
        return await super().prepare(request)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._exchange is not None:
            if self.content_type == "text/event-stream":
                for event in bytes(data).decode().split("\n\n"):
                    lines = [line.removeprefix("data: ") for line in event.split("\n") if line.startswith("data: ")]
                    if lines:
                        self._exchange.record("sent", "event", "\n".join(lines))
            else:
                self._exchange.record("sent", "binary", bytes(data))
        await super().write(data)


@dataclass(slots=True)
class WireLog:
    """Grows as long as it lives: for tests and short runs."""

    exchanges: list[Exchange] = field(default_factory=list)

    def of(self, path: str) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.path == path]

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers = {name: value for name, value in headers.items() if name not in _SECRET_HEADERS}
        query = {name: request.query.getall(name) for name in request.query}
        exchange = Exchange(request.method, request.path, query, headers)
        self.exchanges.append(exchange)
        request[_EXCHANGE] = exchange
        if request.can_read_body and not exchange.is_socket:
            exchange.record("received", "body", await request.read())
        answer = await handler(request)
        exchange.status = answer.status
        if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
            exchange.record("sent", "body", answer.body)
        return answer


def exchange_of(request: web.BaseRequest) -> Exchange | None:
    return request.get(_EXCHANGE)
