"""The driver on the event loop, in virtual time; then with the framework's own session, whose parts answer at once."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import (
    Agent,
    AgentSession,
    APIConnectionError,
    ModelSettings,
    TurnHandlingOptions,
    llm,
    stt,
    tts,
    vad,
)
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    FlushSentinel,
)
from livekit.agents.voice import io

from voiceworker.policy.speculation import Completeness, Price, Speculation, SpeculationSettings
from voiceworker.runtime.speculator import (
    PREEMPTIVE_GENERATION,
    Speculator,
)

Kind = stt.SpeechEventType


# --- the events ---


class VirtualTime(asyncio.SelectorEventLoop):
    """A loop that, instead of waiting, moves its clock to the next timer."""

    def __init__(self) -> None:
        super().__init__(_NoWait(self))
        self.now = 0.0

    def time(self) -> float:
        return self.now


class _NoWait(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self._loop.now += timeout
        assert ready or timeout is not None, "waits for ever"
        return ready


def in_virtual_time(story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        runner.run(story)


def looks_complete(text: str) -> Completeness:
    return Completeness.UNFINISHED if text.endswith((" a", " the", " and")) else Completeness.COMPLETE


def said(kind: Kind, text: str = "") -> stt.SpeechEvent:
    return stt.SpeechEvent(kind, alternatives=[stt.SpeechData(language="en", text=text)] if text else [])  # type: ignore[arg-type]


def interim(text: str) -> stt.SpeechEvent:
    return said(Kind.INTERIM_TRANSCRIPT, text)


def final(text: str) -> stt.SpeechEvent:
    return said(Kind.FINAL_TRANSCRIPT, text)


async def _timed(*steps: tuple[float, stt.SpeechEvent]) -> AsyncIterator[stt.SpeechEvent]:
    for at, event in steps:
        await asyncio.sleep(at - asyncio.get_running_loop().time())
        yield event


def virtual_speculator() -> Speculator:
    clock = asyncio.get_running_loop().time
    return Speculator(Speculation(SpeculationSettings()), looks_complete, clock=clock)


async def told(speculator: Speculator, events: AsyncIterable[stt.SpeechEvent]) -> list[tuple[float, str, str]]:
    loop = asyncio.get_running_loop()
    return [
        (round(loop.time(), 2), event.type.value.removesuffix("_transcript"), event.alternatives[0].text)
        async for event in speculator.speculate(events)
    ]


def test_a_stable_interim_is_followed_by_a_preflight_with_the_same_words() -> None:
    async def story() -> None:
        speculator = virtual_speculator()
        loop = asyncio.get_running_loop()
        loop.call_at(0.1, lambda: speculator.voice(speaking=True))
        loop.call_at(0.6, lambda: speculator.voice(speaking=False))
        steps = [(0.3, interim("are you")), (0.5, interim("are you open")), (0.9, final("Are you open?"))]
        assert await told(speculator, _timed(*steps)) == [
            (0.3, "interim", "are you"),
            (0.5, "interim", "are you open"),
            (0.76, "preflight", "are you open"),
            (0.9, "final", "are you open"),
        ]

    in_virtual_time(story())


def test_words_that_keep_coming_start_nothing() -> None:
    async def story() -> None:
        speculator = virtual_speculator()
        words = ["is", "there", "a", "table", "free", "for", "two"]
        steps = [(0.2 * place, interim(" ".join(words[:place]))) for place in range(1, len(words) + 1)]
        kinds = [kind for _, kind, _ in await told(speculator, _timed(*steps))]
        assert kinds == ["interim"] * len(words)

    in_virtual_time(story())


def test_a_changed_final_keeps_its_own_words() -> None:
    async def story() -> None:
        steps = [(0.3, interim("at seven")), (1.0, final("at eleven"))]
        heard = await told(virtual_speculator(), _timed(*steps))
        assert heard[-2:] == [(0.8, "preflight", "at seven"), (1.0, "final", "at eleven")]

    in_virtual_time(story())


def test_everything_else_passes_in_order() -> None:
    async def story() -> None:
        kinds = [Kind.START_OF_SPEECH, Kind.RECOGNITION_USAGE, Kind.END_OF_SPEECH]
        steps = [(0.1 * place, said(kind)) for place, kind in enumerate(kinds)]
        heard = [event.type async for event in virtual_speculator().speculate(_timed(*steps))]
        assert heard == kinds

    in_virtual_time(story())


def test_what_the_recogniser_raises_is_raised_after_what_it_said() -> None:
    async def broken() -> AsyncIterator[stt.SpeechEvent]:
        yield interim("hello")
        raise ConnectionError("gone")

    async def story() -> None:
        stream = virtual_speculator().speculate(broken())
        assert (await anext(stream)).alternatives[0].text == "hello"
        with pytest.raises(ConnectionError, match="gone"):
            await anext(stream)

    in_virtual_time(story())


@pytest.mark.parametrize("way", ["closed", "cancelled"])
def test_nothing_is_left_running(way: str) -> None:
    async def story() -> None:
        over = asyncio.Event()

        async def endless() -> AsyncIterator[stt.SpeechEvent]:
            try:
                yield interim("hello")
                await asyncio.Event().wait()
            finally:
                over.set()

        before = asyncio.all_tasks()
        speculator = virtual_speculator()
        stream = speculator.speculate(endless())
        await anext(stream)
        if way == "closed":
            await stream.aclose()
        else:
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert over.is_set()
        assert asyncio.all_tasks() == before
        speculator.voice(speaking=True)  # nobody listens: no harm

    in_virtual_time(story())


# --- with the framework ---


class TypedVoice(vad.VAD):
    """Hears a voice when told so."""

    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.1))
        self.told: asyncio.Queue[vad.VADEvent] = asyncio.Queue()
        self.min_silence_duration = 0.0

    def stream(self) -> vad.VADStream:
        return TypedVoiceStream(self)

    def starts(self) -> None:
        self.told.put_nowait(_voice_event(vad.VADEventType.START_OF_SPEECH, speaking=True))

    def stops(self) -> None:
        self.told.put_nowait(_voice_event(vad.VADEventType.END_OF_SPEECH, speaking=False))


def _voice_event(kind: vad.VADEventType, *, speaking: bool) -> vad.VADEvent:
    return vad.VADEvent(
        type=kind, samples_index=0, timestamp=0.0, speech_duration=0.1, silence_duration=0.0, speaking=speaking
    )


class TypedVoiceStream(vad.VADStream):
    def __init__(self, voice: TypedVoice) -> None:
        self._voice = voice
        super().__init__(voice)

    async def _main_task(self) -> None:
        while True:
            self._event_ch.send_nowait(await self._voice.told.get())


class Hearing(stt.STT[str]):
    """Without one the framework does not ask the agent's stt_node, which needs none here."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise NotImplementedError


Answer = list[str | llm.FunctionToolCall]


class Thinker(llm.LLM[str]):
    """Answers each question from a table, and remembers what it was asked and how far each answer went."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        super().__init__()
        self.answers = answers
        self.failures = 0
        "so many of the next requests fail"
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.contexts: list[llm.ChatContext] = []
        self.cancelled: asyncio.Queue[str] = asyncio.Queue()

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: Any = NOT_GIVEN,
        tool_choice: Any = NOT_GIVEN,
        extra_kwargs: Any = NOT_GIVEN,
    ) -> llm.LLMStream:
        return ThinkerStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class ThinkerStream(llm.LLMStream):
    async def _run(self) -> None:
        thinker = self._llm
        assert isinstance(thinker, Thinker)
        last = self._chat_ctx.items[-1]
        question = (last.text_content or "") if isinstance(last, llm.ChatMessage) else "(tool)"
        thinker.contexts.append(self._chat_ctx)
        thinker.asked.put_nowait(question)
        if thinker.failures:
            thinker.failures -= 1
            raise APIConnectionError("out of order", retryable=False)
        try:
            for part in thinker.answers.get(question, ["All right. ", "That is all."]):
                delta = llm.ChoiceDelta(content=part) if isinstance(part, str) else llm.ChoiceDelta(tool_calls=[part])
                self._event_ch.send_nowait(llm.ChatChunk(id="answer", delta=delta))
            usage = llm.CompletionUsage(completion_tokens=10, prompt_tokens=100, total_tokens=110)
            self._event_ch.send_nowait(llm.ChatChunk(id="answer", usage=usage))
        except asyncio.CancelledError:
            thinker.cancelled.put_nowait(question)
            raise


class Voice(tts.TTS[str]):
    """Says a hum of 1 ms a character, and remembers the words as they come in."""

    def __init__(self) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=True), sample_rate=24000, num_channels=1)
        self.given = ""
        self.more = asyncio.Event()

    def synthesize(self, text: str, *, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS) -> tts.ChunkedStream:
        raise NotImplementedError

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> tts.SynthesizeStream:
        return VoiceStream(tts=self, conn_options=conn_options)


class VoiceStream(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="voice", sample_rate=24000, num_channels=1, mime_type="audio/pcm", stream=True
        )
        output_emitter.start_segment(segment_id="voice")
        voice = self._tts
        assert isinstance(voice, Voice)
        async for part in self._input_ch:
            if isinstance(part, str):
                self._mark_started()
                voice.given += part
                voice.more.set()
                output_emitter.push(b"\x00\x10" * 24 * len(part))
        output_emitter.end_segment()


class Ear(io.AudioOutput):
    """Hears everything at once."""

    def __init__(self) -> None:
        super().__init__(label="ear", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=24000)
        self.heard_seconds = 0.0
        self._segment_seconds = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self._segment_seconds:
            self.on_playback_started(created_at=0.0)
        self._segment_seconds += frame.duration
        self.heard_seconds += frame.duration

    def flush(self) -> None:
        super().flush()
        if self._segment_seconds:
            position, self._segment_seconds = self._segment_seconds, 0.0
            self.on_playback_finished(playback_position=position, interrupted=False)

    def clear_buffer(self) -> None:
        self.flush()


class Listener(Agent):
    def __init__(self, speculator: Speculator) -> None:
        super().__init__(instructions="Answer.")
        self.speculator = speculator
        self.events: asyncio.Queue[stt.SpeechEvent] = asyncio.Queue()
        self.tool_runs: list[str] = []
        self.committed: list[str] = []
        self.failures: list[list[str]] = []
        "the turns that were committed when an answer failed for good"

    async def stt_node(self, audio: Any, model_settings: ModelSettings) -> AsyncGenerator[stt.SpeechEvent, None]:
        async def typed() -> AsyncIterator[stt.SpeechEvent]:
            while True:
                yield await self.events.get()

        async for event in self.speculator.speculate(typed()):
            yield event

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[llm.ChatChunk | str | FlushSentinel, None]:
        ask = lambda: Agent.default.llm_node(self, chat_ctx, tools, model_settings)  # noqa: E731
        try:
            async for chunk in self.speculator.thinking(chat_ctx, ask):
                yield chunk
        except APIConnectionError:
            self.failures.append([*self.committed])
            raise

    async def tts_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> AsyncIterable[rtc.AudioFrame]:
        synthesize = lambda part: Agent.default.tts_node(self, part, model_settings)  # noqa: E731
        async for frame in self.speculator.synthesizing(text, synthesize):
            yield frame

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        self.committed.append(new_message.text_content or "")

    @llm.function_tool
    async def book(self) -> str:
        """Book it."""
        self.tool_runs.append("book")
        return "booked"


@dataclass
class Stage:
    session: AgentSession[None]
    agent: Listener
    voice: TypedVoice
    thinker: Thinker
    speaker: Voice
    ear: Ear
    policy: Speculation

    async def speaks(self) -> None:
        self.voice.starts()
        while self.session.user_state != "speaking":
            await asyncio.sleep(0.001)

    def pauses(self) -> None:
        """The sound pauses, long before the voice detector says so."""
        self.agent.speculator.voice(speaking=False)

    def hears(self, event: stt.SpeechEvent) -> None:
        self.agent.events.put_nowait(event)

    def stored(self) -> list[tuple[str, str]]:
        return [(item.role, item.text_content or "") for item in self.session.history.messages()]

    async def replied(self) -> None:
        """After the reply to the committed turn has been heard."""
        while (speech := self.session.current_speech) is None:
            await asyncio.sleep(0.001)
        await speech.wait_for_playout()


EAGER = SpeculationSettings(stability_seconds=0.0, speaking_stability_seconds=0.0, silence_seconds=0.0)


@contextlib.asynccontextmanager
async def stage(answers: dict[str, Answer], settings: SpeculationSettings = EAGER) -> AsyncIterator[Stage]:
    policy = Speculation(settings)
    speculator = Speculator(policy, looks_complete)
    voice, thinker, speaker, ear = TypedVoice(), Thinker(answers), Voice(), Ear()
    session: AgentSession[None] = AgentSession(
        vad=voice,
        stt=Hearing(),
        llm=thinker,
        tts=speaker,
        turn_handling=TurnHandlingOptions(
            turn_detection="vad",
            endpointing={"min_delay": 0.0, "max_delay": 0.0},
            interruption={"mode": "vad"},
            preemptive_generation=PREEMPTIVE_GENERATION,
        ),
        aec_warmup_duration=None,
        session_close_transcript_timeout=0.0,
    )
    speculator.attach(session)
    session.output.audio = ear
    agent = Listener(speculator)
    await session.start(agent, record=False, session_host=False)
    try:
        yield Stage(session, agent, voice, thinker, speaker, ear, policy)
    finally:
        await session.aclose()


async def test_the_llm_is_asked_before_the_final_and_its_answer_is_used() -> None:
    async with asyncio.timeout(10), stage({}) as on:
        await on.speaks()
        on.hears(interim("are you open"))
        on.pauses()
        assert await on.thinker.asked.get() == "are you open"
        on.voice.stops()
        await on.speaker.more.wait()
        assert on.stored() == []
        assert on.ear.heard_seconds == 0
        on.hears(final("Are you open?"))
        await on.replied()
        assert on.agent.committed == ["are you open"]
        assert on.stored() == [("user", "are you open"), ("assistant", "All right. That is all.")]
        assert on.thinker.asked.empty()
        assert on.ear.heard_seconds > 0


async def test_an_attempt_that_is_only_asked_when_its_turn_is_committed_is_settled_too() -> None:
    async with asyncio.timeout(10), stage({}) as on:
        for number, question in enumerate(("are you open", "where are you", "what does it cost"), 1):
            await on.speaks()
            on.hears(interim(question))
            on.pauses()
            on.hears(final(f"{question}?"))
            on.voice.stops()
            await on.replied()
            assert await on.thinker.asked.get() == question
            assert len(on.agent.committed) == number
        assert on.policy._unresolved == {}, "what is never settled counts against the budget for ever"


async def test_what_fails_ahead_of_the_turn_is_asked_again_when_the_turn_is_committed() -> None:
    async with asyncio.timeout(10), stage({}) as on:
        on.thinker.failures = 1
        await on.speaks()
        on.hears(interim("are you open"))
        on.pauses()
        assert await on.thinker.asked.get() == "are you open"
        on.hears(final("Are you open?"))
        on.voice.stops()
        await on.replied()
        assert await on.thinker.asked.get() == "are you open"
        assert on.stored() == [("user", "are you open"), ("assistant", "All right. That is all.")]


async def test_a_failure_is_told_when_the_turn_is_committed_and_not_before() -> None:
    async with asyncio.timeout(10), stage({}) as on:
        on.thinker.failures = 2
        await on.speaks()
        on.hears(interim("are you open"))
        on.pauses()
        await on.thinker.asked.get()
        assert on.agent.failures == []
        on.hears(final("Are you open?"))
        on.voice.stops()
        await on.thinker.asked.get()
        await on.replied()
        assert on.agent.failures == [["are you open"]]


async def test_a_changed_final_throws_the_prepared_reply_away() -> None:
    answers: dict[str, Answer] = {"at seven": ["At seven it is. ", "Bye."], "at eleven": ["Eleven then. ", "Bye."]}
    async with asyncio.timeout(10), stage(answers) as on:
        await on.speaks()
        on.hears(interim("at seven"))
        on.pauses()
        assert await on.thinker.asked.get() == "at seven"
        on.voice.stops()
        await on.speaker.more.wait()
        assert on.speaker.given.strip() == "At seven it is."
        on.speaker.given = ""
        on.hears(final("at eleven"))
        await on.replied()
        assert await on.thinker.asked.get() == "at eleven"
        assert on.stored() == [("user", "at eleven"), ("assistant", "Eleven then. Bye.")]
        assert on.speaker.given == "Eleven then. Bye."
        assert on.ear.heard_seconds == pytest.approx(0.001 * len(on.speaker.given), abs=0.001)


async def test_a_tool_call_of_a_prepared_reply_waits_for_the_turn() -> None:
    call = llm.FunctionToolCall(name="book", arguments="{}", call_id="call_1")
    async with asyncio.timeout(10), stage({"book it": [call], "(tool)": ["Booked."]}) as on:
        await on.speaks()
        on.hears(interim("book it"))
        on.pauses()
        assert await on.thinker.asked.get() == "book it"
        for _ in range(50):
            await asyncio.sleep(0)
        assert on.agent.tool_runs == []
        on.voice.stops()
        on.hears(final("book it"))
        await on.replied()
        assert on.agent.tool_runs == ["book"]
        assert on.stored() == [("user", "book it"), ("assistant", "Booked.")]


async def test_a_tool_call_of_a_discarded_reply_never_runs() -> None:
    call = llm.FunctionToolCall(name="book", arguments="{}", call_id="call_1")
    async with asyncio.timeout(10), stage({"book it": [call]}) as on:
        await on.speaks()
        on.hears(interim("book it"))
        on.pauses()
        assert await on.thinker.asked.get() == "book it"
        on.hears(interim("book it no don't"))
        on.voice.stops()
        on.hears(final("book it no don't"))
        await on.replied()
        assert on.agent.tool_runs == []
        assert on.stored()[-1] == ("assistant", "All right. That is all.")


async def test_without_leave_nothing_is_asked_before_the_turn_although_the_framework_starts_on_finals() -> None:
    async with asyncio.timeout(10), stage({}, SpeculationSettings(llm_price=Price.FORBIDDEN)) as on:
        await on.speaks()
        on.hears(final("are you"))
        on.hears(final("open"))
        for _ in range(50):
            await asyncio.sleep(0)
        assert on.thinker.asked.empty()
        on.voice.stops()
        await on.replied()
        assert on.thinker.asked.get_nowait() == "are you open"
        assert on.thinker.asked.empty()
        assert on.stored()[-1] == ("assistant", "All right. That is all.")


async def test_a_reply_that_nobody_prepared_is_not_held_back() -> None:
    async with asyncio.timeout(10), stage({}) as on:
        await on.session.say("Hello there. How are you?").wait_for_playout()
        assert on.speaker.given == "Hello there. How are you?"
        await on.session.generate_reply(user_input="typed").wait_for_playout()
        assert on.stored()[-2:] == [("user", "typed"), ("assistant", "All right. That is all.")]
