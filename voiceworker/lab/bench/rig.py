"""One run of a bench: an SFU, the emulated providers, the systems under test, and a caller on the line to each."""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from voiceworker.config import ConfigError, Settings, load_settings, read_environment
from voiceworker.lab.audio import Samples
from voiceworker.lab.bench.calibration import Calibration, calibrate, joined
from voiceworker.lab.bench.line import Line, Room, Said
from voiceworker.lab.bench.ours import Ours
from voiceworker.lab.bench.stock import StockLiveKit, StockPipecat
from voiceworker.lab.bench.systems import Call, Surroundings, System, free_port
from voiceworker.lab.bench.tickets import Tickets
from voiceworker.lab.emulators.delays import FAST, SLOW, TYPICAL, Delays
from voiceworker.lab.emulators.replies import Conversation, Reply, Sentences
from voiceworker.lab.emulators.server import ProviderEmulators
from voiceworker.lab.emulators.tones import words_of
from voiceworker.lab.material import samples_of
from voiceworker.lab.speech import Speech
from voiceworker.stack.sfu import find_sfu, start_sfu

SYSTEMS: Mapping[str, Callable[[Surroundings], System]] = {
    Ours.name: Ours,
    StockLiveKit.name: StockLiveKit,
    StockPipecat.name: StockPipecat,
}
DELAYS: Mapping[str, Delays] = {"typical": TYPICAL, "fast": FAST, "slow": SLOW}
_KEPT_VARIABLES = ("PATH", "HOME", "XDG_CACHE_HOME", "LANG", "TMPDIR")
_GREETED_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Options:
    systems: tuple[str, ...] = ("ours", "livekit", "pipecat")
    delays: str = "typical"
    vad: bool = False
    seed: int = 1
    greeting_words: int = 6
    max_calls: int = 8
    calibration_clicks: int = 20
    logs: Path | None = None
    "where the systems' files and logs are kept; None: nowhere"
    say: Callable[[str], None] = field(default=print, repr=False)
    "progress, a line each"


SHORT_WORDS = 8
LONG_WORDS = 64
"16 s"


class Replies:
    """What the emulated LLM answers in tone words: two seconds, or sixteen to a question that asks for it.

    It goes by the text alone, so that a request ahead of the turn's end gets what the turn's own would.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._long: set[tuple[str, ...]] = set()

    def long_after(self, questions: Sequence[Speech]) -> None:
        """From now on these are answered at length."""
        self._long = {tuple(words_of(question.text)) for question in questions}

    def __call__(self, conversation: Conversation) -> Reply:
        said = tuple(words_of(conversation.user_texts[-1])) if conversation.user_texts else ()
        is_long = any(said[-len(question) :] == question for question in self._long)
        return Sentences(LONG_WORDS if is_long else SHORT_WORDS, seed=self._seed)(conversation)


class Seat:
    """The caller who is on the line to one system."""

    def __init__(self, system: System, call: Call, line: Line, emulators: ProviderEmulators) -> None:
        self.name = system.name
        self.call = call
        self.line = line
        self.ear = line.ear
        self._emulators = emulators

    def begin(self, speech: Speech, samples: Samples) -> Said:
        """Begins to say it with the next frame; the emulated recogniser knows what is coming."""
        said = self.line.begin(samples)
        self._emulators.expect(speech, time.perf_counter(), api_key=self.name)
        return said

    async def say(self, speech: Speech) -> Said:
        """Returns when the last sample has been sent."""
        said = self.begin(speech, await asyncio.to_thread(samples_of, speech))
        await said.over.wait()
        return said


class Rig:
    """Everything of a run, up from `async with` to its end. Raises ConfigError, CallSetupError."""

    def __init__(self, options: Options) -> None:
        unknown = set(options.systems) - set(SYSTEMS)
        if unknown:
            raise ConfigError(
                f"--systems: no such system {', '.join(sorted(unknown))}; there are: {', '.join(SYSTEMS)}"
            )
        self.options = options
        self.replies = Replies(options.seed)
        self.emulators = ProviderEmulators(delays=DELAYS[options.delays], replies=self.replies, seed=options.seed)
        self.systems: dict[str, System] = {}
        self.calibrations: list[Calibration] = []
        self.sfu_process_id = 0
        self.latest_frame_seconds = 0.0
        "how late a caller's frame was at the worst: what the bench itself was held up"
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Rig:
        try:
            await self._start()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    async def _start(self) -> None:
        options, exit_stack = self.options, self._exit
        passing = exit_stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        directory = (options.logs or Path(passing)).absolute()
        own = read_environment()
        environment = {name: own[name] for name in _KEPT_VARIABLES if name in own}
        settings = _sfu_settings(environment)
        program = await asyncio.to_thread(find_sfu, settings, options.say)
        sfu = await start_sfu(settings, program, environment=environment, on_line=lambda _: None)
        exit_stack.push_async_callback(sfu.stop, within_seconds=4, asking=2)
        self.sfu_process_id = sfu.pid
        await exit_stack.enter_async_context(self.emulators)
        self.tickets = Tickets(settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret)
        surroundings = Surroundings(
            tickets=self.tickets,
            openai_url=self.emulators.openai_url,
            deepgram_url=self.emulators.deepgram_url,
            greeting=Sentences(options.greeting_words, seed=options.seed).text(0),
            environment=environment,
            directory=directory,
            cache_directory=settings.cache_directory,
            vad=options.vad,
            max_calls=options.max_calls,
        )
        for name in options.systems:
            options.say(f"starting {name}")
            system = SYSTEMS[name](surroundings)
            exit_stack.push_async_callback(system.stop)
            await system.start()
            self.systems[name] = system

    async def calibrate(self) -> None:
        """Measures the transit floor once more; called before, between and after the rounds."""
        found = await calibrate(self.tickets, self.options.calibration_clicks)
        self.calibrations.append(found)
        self.options.say(f"transit: {found}")

    @property
    def transit(self) -> Calibration:
        return joined(self.calibrations)

    @asynccontextmanager
    async def seat(self, name: str, room: Room | None = None, *, greeted: bool = True) -> AsyncIterator[Seat]:
        """A call to one system, whose greeting has been heard to its end when `greeted`. Raises CallSetupError."""
        system = self.systems[name]
        async with system.call() as call, Line(call.invitation, room) as line:
            seat = Seat(system, call, line, self.emulators)
            if greeted:
                await line.until(lambda: line.ear.onset_after(0) is not None, _GREETED_SECONDS)
                await line.until_quiet(1.0)
                line.latest_frame_seconds = 0.0  # while a call begins, processes start, and nothing is measured
            try:
                yield seat
            finally:
                self.latest_frame_seconds = max(self.latest_frame_seconds, line.latest_frame_seconds)

    @asynccontextmanager
    async def seats(self) -> AsyncIterator[dict[str, Seat]]:
        """A call to each system at once: who waits for his turn stays joined."""
        async with AsyncExitStack() as calls:
            yield {name: await calls.enter_async_context(self.seat(name)) for name in self.systems}

    def description(self) -> dict[str, Any]:
        """What was run on what, for the report."""
        return {
            "systems": " ".join(self.systems),
            "delays": self.options.delays,
            "end of turn": "vad on all sides" if self.options.vad else "each system's own",
            "seed": self.options.seed,
            "cores": os.cpu_count(),
            "machine": platform.machine(),
            "transit": str(self.transit) if self.calibrations else "not measured",
        }


def _sfu_settings(environment: Mapping[str, str]) -> Settings:
    ports = {f"VOICEWORKER_{name}_PORT": str(free_port()) for name in ("SFU", "SFU_TCP", "SFU_UDP")}
    pair = {"LIVEKIT_API_KEY": "APIbench", "LIVEKIT_API_SECRET": secrets.token_urlsafe(32)}
    return load_settings({**environment, **ports, **pair})
