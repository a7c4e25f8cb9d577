"""What counted engines and their streams share: they are as the one in them, in everything but the counting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from livekit.agents import llm, stt, tts

from voiceworker.runtime.metering.requests import Counter, Request, current, tell_when_sent

Engine = TypeVar("Engine", bound=llm.LLM[Any] | stt.STT[Any] | tts.TTS[Any])
Stream = TypeVar("Stream", bound=llm.LLMStream | stt.RecognizeStream | tts.ChunkedStream | tts.SynthesizeStream)
OneRequest = TypeVar("OneRequest", bound=Request)


class CountedEngine(Generic[Engine]):
    """To be inherited from ahead of the engine's base class; `_stand_for` comes after the making of that one."""

    _engine: Engine
    _label: str

    def _stand_for(self, engine: Engine, name: str, counter: Counter) -> None:
        self._engine = engine
        self._label = engine.label
        self._name = name
        self._counter = counter
        self._tells_when_sent = tell_when_sent(engine)
        engine.on("metrics_collected", self._metrics_collected)
        engine.on("error", self._error)

    if TYPE_CHECKING:

        def emit(self, event: Any, *args: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        """What only this engine has: `update_options` and the like."""
        if name == "_engine":  # asked for while it is being made
            raise AttributeError(name)
        return getattr(self._engine, name)

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def model(self) -> str:
        return self._engine.model

    @property
    def provider(self) -> str:
        return self._engine.provider

    async def aclose(self) -> None:
        await self._engine.aclose()

    def _metrics_collected(self, figures: object) -> None:
        if (request := current.get()) is not None:
            request.told(figures)
        self.emit("metrics_collected", figures)

    def _error(self, error: llm.LLMError | stt.STTError | tts.TTSError) -> None:
        if (request := current.get()) is not None:
            request.failed(error.error, goes_on=error.recoverable)
        self.emit("error", error)


class CountedStream(Generic[Stream, OneRequest]):
    """A stream that another one does the work of; it has no tasks of its own, so the base class, which comes after this
    one, is not set up."""

    _stream: Stream

    def __init__(self, stream: Stream, request: OneRequest, counter: Counter) -> None:
        self._stream = stream
        self._request = request
        self._counter = counter

    def __getattr__(self, name: str) -> Any:
        if name == "_stream":
            raise AttributeError(name)
        return getattr(self._stream, name)

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()  # which tells the figures that have come
        finally:
            self._counter.settled(self._request)
