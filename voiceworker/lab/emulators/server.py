"""Deepgram and OpenAI on one loopback port, in this process and by its clock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from aiohttp import web

from voiceworker.lab.emulators.bill import Bill
from voiceworker.lab.emulators.deepgram import Deepgram
from voiceworker.lab.emulators.delays import TYPICAL, Delays
from voiceworker.lab.emulators.faults import Fault, Faults
from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.openai import OpenAI
from voiceworker.lab.emulators.provider import Provider, forgive_lost_clients
from voiceworker.lab.emulators.realtime import Realtime
from voiceworker.lab.emulators.replies import Replies, Sentences
from voiceworker.lab.emulators.requests import Request, Transcript
from voiceworker.lab.emulators.wire import WireLog
from voiceworker.lab.speech import Speech


class ProviderEmulators:
    """Emulated providers, open as a context. Any API key is right; each has its own bill and its own luck.

    Everything may be looked at while it runs. `delays`, `replies` and faults (`fail_by`) may be set while it runs: they
    hold for the requests that come after.
    """

    def __init__(
        self,
        *,
        delays: Delays = TYPICAL,
        replies: Replies | None = None,
        faults: Sequence[Fault] = (),
        seed: int = 0,
        speech_speed: float = 8.0,
        wire_log: bool = False,
    ) -> None:
        """`speech_speed`: how much faster than it is spoken speech is sent, after its first byte.

        `wire_log`: whether everything that is said is kept in `wire`.
        """
        self._provider = Provider(delays, Faults(faults, seed=seed), speech_speed)
        self._expectations = Expectations()
        self._deepgram = Deepgram(self._provider, self._expectations)
        self._openai = OpenAI(self._provider, self._expectations, replies or Sentences(seed=seed))
        self.realtime = Realtime(self._provider, self._expectations, lambda: self.replies)
        "the realtime sessions, and what befalls them"
        self.realtime.transcription = self._openai.transcribe_stream
        self.wire = WireLog()
        "what was said over the wire, when that is asked for"
        self._middlewares = [forgive_lost_clients, *([self.wire.middleware] if wire_log else [])]
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> ProviderEmulators:
        app = web.Application(client_max_size=64 << 20, middlewares=self._middlewares)
        app.add_routes([*self._deepgram.routes(), *self._openai.routes()])
        app.add_routes([web.get("/v1/realtime", self.realtime.connect)])
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._deepgram.aclose()
        await self._openai.aclose()
        await self.realtime.aclose()
        await self._runner.cleanup()

    # --- what systems under test are given ---

    @property
    def port(self) -> int:
        """Of loopback, for all providers."""
        return self._port

    @property
    def openai_url(self) -> str:
        """For the `base_url` of `openai.LLM`, `openai.STT`, `openai.TTS` and `openai.realtime.RealtimeModel`.

        `openai.responses.LLM` takes `f"{url}/responses"` for its WebSocket, and this without.
        """
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def deepgram_url(self) -> str:
        """Without path: `deepgram.STT(base_url=f"{url}/v1/listen")`, `deepgram.TTS(base_url=f"{url}/v1/speak")`."""
        return f"http://127.0.0.1:{self._port}"

    # --- what the bench says and sees ---

    def expect(self, speech: Speech, started_at: float, *, api_key: str | None = None) -> None:
        """The caller begins to say `speech`: its first sample is sent at `started_at` (`time.perf_counter`).

        A speech stream (of `api_key`, if given) that hears its beginning within 1.5 s transcribes it. To be called at
        that moment or before; what nobody announced is transcribed as nothing, and so is noise.
        Raises AudioError when the file cannot be read.
        """
        self._expectations.add(speech, started_at, api_key)

    @property
    def unheard(self) -> list[Speech]:
        """Speech with words whose time has passed and that no stream has heard: a fault of the set-up, mostly."""
        return self._expectations.unheard()

    @property
    def heard(self) -> list[Transcript]:
        """The transcripts that were sent, in their order."""
        return self._provider.transcripts

    @property
    def requests(self) -> list[Request]:
        """Every request and connection, in the order of their beginnings."""
        return self._provider.requests

    def chats(self, api_key: str | None = None) -> list[Request]:
        """The chat requests."""
        return [one for one in self.requests if one.role == "llm" and api_key in (None, one.api_key)]

    @property
    def bill(self) -> Bill:
        return self._provider.bill

    @property
    def delays(self) -> Delays:
        return self._provider.delays

    @delays.setter
    def delays(self, delays: Delays) -> None:
        self._provider.delays = delays

    def fail_by(self, *faults: Fault, seed: int = 0) -> None:
        """From now on by these and no others; requests are counted anew."""
        self._provider.faults = Faults(faults, seed=seed)

    def strike(self, fault: Fault) -> int:
        """Befalls the connections for speech recognition that are open now, `after_seconds` from now; how many those
        are. It shows at the next audio that they are sent. What strikes at the beginning is too late, and a final's
        lateness is settled there: `refuse`, `status` and `late_final` do nothing."""
        return self._provider.strike(fault, time.perf_counter())

    @property
    def replies(self) -> Replies:
        return self._openai.replies

    @replies.setter
    def replies(self, replies: Replies) -> None:
        self._openai.replies = replies
