"""The driver beside a voice that notes what it is told to do; the policy, the lexicon and the streams are real."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any, cast

from livekit import rtc
from livekit.agents import AgentSession, LanguageCode, UserStateChangedEvent, stt

from voiceworker.events import Event
from voiceworker.lab.emulators.tones import encode
from voiceworker.policy.backchannels import Backchannels, lexicon_of
from voiceworker.policy.overlap import Overlap, OverlapSettings
from voiceworker.policy.situations import Situations
from voiceworker.runtime.caller_audio import CallerAudio
from voiceworker.runtime.echo import EchoGuard
from voiceworker.runtime.overlap_driver import OverlapDriver
from voiceworker.runtime.playout_events import Audible, Silent

INTERIM, FINAL = stt.SpeechEventType.INTERIM_TRANSCRIPT, stt.SpeechEventType.FINAL_TRANSCRIPT


class NotingVoice:
    def __init__(self) -> None:
        self.done: list[str] = []
        self.is_held = False
        self._more = asyncio.Event()

    def _do(self, what: str) -> None:
        self.done.append(what)
        self._more.set()

    def duck(self) -> None:
        self._do("duck")

    def restore(self) -> None:
        self._do("restore")

    def cut(self) -> None:
        self._do("cut")

    def hold(self) -> None:
        self.is_held = True
        self._do("hold")

    def release(self) -> None:
        self.is_held = False
        self._do("release")

    async def until(self, what: str) -> None:
        async with asyncio.timeout(5):
            while what not in self.done:
                self._more.clear()
                await self._more.wait()


class Session(rtc.EventEmitter[str]):
    """The part of the framework's session that the driver knows."""

    def __init__(self, voice: NotingVoice, *, is_farewell: bool = False) -> None:
        super().__init__()
        self._voice = voice
        self._is_farewell = is_farewell

    def interrupt(self) -> None:
        if self._is_farewell:
            raise RuntimeError("this speech cannot be interrupted")
        self._voice.done.append("interrupt")


class Scene:
    def __init__(self, settings: OverlapSettings | None = None, *, is_farewell: bool = False) -> None:
        self.voice = NotingVoice()
        self.session = Session(self.voice, is_farewell=is_farewell)
        self.told: list[Event] = []
        self.passed: list[str] = []
        self._events: asyncio.Queue[stt.SpeechEvent | None] = asyncio.Queue()
        self.echo = echo = EchoGuard()
        policy = Overlap(settings or OverlapSettings(), Backchannels(lexicon_of("en")))
        self.driver = OverlapDriver(
            policy,
            Situations({"important": ["this call is recorded"]}),
            self.voice,
            echo,
            CallerAudio(echo),
            self.told.append,
            vad_silence_seconds=0.25,
        )
        self.driver.attach(cast("AgentSession[Any]", self.session))

    async def _source(self) -> AsyncGenerator[stt.SpeechEvent, None]:
        while (event := await self._events.get()) is not None:
            yield event

    async def _listen(self) -> None:
        async for event in self.driver.heed(self._source()):
            self.passed.append(event.alternatives[0].text)

    async def __aenter__(self) -> Scene:
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._events.put_nowait(None)
        await self._listening
        self.driver.close()

    def agent_speaks(self) -> None:
        self.driver.audible(Audible(1, 0.0, 0.0, 0.0))

    def agent_ends(self, *, was_cut: bool = False) -> None:
        self.driver.silent(Silent(1, 0.0, 0.0, was_cut))

    def caller(self, new: str, old: str) -> None:
        self.session.emit(
            "user_state_changed", UserStateChangedEvent(old_state=cast("Any", old), new_state=cast("Any", new))
        )

    def voice_on(self) -> None:
        self.caller("speaking", "listening")

    def voice_off(self) -> None:
        self.caller("listening", "speaking")

    async def hears(self, kind: stt.SpeechEventType, text: str) -> None:
        data = stt.SpeechData(language=LanguageCode("en"), text=text)
        self._events.put_nowait(stt.SpeechEvent(type=kind, alternatives=[data]))
        for _ in range(5):
            await asyncio.sleep(0)

    @property
    def reasons(self) -> list[str]:
        return [event.type for event in self.told]


async def test_a_voice_over_the_agents_lowers_it_at_once_and_a_listeners_word_raises_it_again() -> None:
    async with Scene() as scene:
        scene.agent_speaks()
        scene.voice_on()
        assert scene.voice.done == ["duck"]
        await scene.hears(INTERIM, "mm-hmm")
        await scene.hears(FINAL, "mm-hmm")
        assert scene.voice.done == ["duck", "restore"]
        assert scene.passed == []
        assert scene.reasons == ["agent.ducked", "agent.restored"]


async def test_a_stop_interrupts_before_the_framework_hears_of_it() -> None:
    async with Scene() as scene:
        scene.agent_speaks()
        scene.voice_on()
        await scene.hears(INTERIM, "stop")
        assert scene.voice.done == ["duck", "interrupt", "cut"]
        assert scene.passed == ["stop"]
        scene.agent_ends(was_cut=True)
        assert scene.voice.done[-1] == "restore"


async def test_a_sound_without_words_is_over_by_itself() -> None:
    async with Scene() as scene:
        scene.agent_speaks()
        scene.voice_on()
        scene.voice_off()
        await scene.voice.until("restore")
        assert scene.reasons == ["agent.ducked", "agent.restored"]


async def test_words_that_follow_a_listeners_word_bring_it_back() -> None:
    async with Scene() as scene:
        scene.agent_speaks()
        scene.voice_on()
        await scene.hears(FINAL, "mm-hmm")
        await scene.hears(FINAL, "what is the price")
        assert scene.passed == ["mm-hmm", "what is the price"]
        assert "cut" in scene.voice.done


async def test_speech_held_back_until_the_agent_has_ended_is_passed_on_then() -> None:
    async with Scene(OverlapSettings(policy="duck")) as scene:
        scene.agent_speaks()
        scene.voice_on()
        await scene.hears(FINAL, "what is the price")
        assert scene.passed == []
        scene.agent_ends()
        for _ in range(5):
            await asyncio.sleep(0)
        assert scene.passed == ["what is the price"]
        assert "cut" not in scene.voice.done


async def test_a_farewell_is_not_cut() -> None:
    async with Scene(is_farewell=True) as scene:
        scene.driver.next_speech_is("ordinary")
        scene.agent_speaks()
        scene.voice_on()
        await scene.hears(FINAL, "but what is the price")
        assert "cut" not in scene.voice.done


async def test_an_important_sentence_takes_no_notice_of_a_voice_and_the_next_one_does() -> None:
    async with Scene() as scene:
        scene.agent_speaks()
        scene.driver.said("Hello. This call ", "is recorded. How can I help?")
        scene.voice_on()
        assert scene.voice.done == []
        scene.voice_off()
        scene.driver.said("Hello. This call is recorded. How ", "can I help?")
        scene.voice_on()
        assert scene.voice.done == ["duck"]


async def test_a_reply_waits_while_the_caller_goes_on_and_is_let_go_when_he_was_only_coughing() -> None:
    async with Scene() as scene:
        scene.voice_on()
        assert scene.voice.is_held
        scene.voice_off()
        await scene.voice.until("release")
        assert not scene.voice.is_held


async def test_a_noise_that_does_not_end_keeps_no_reply_for_ever() -> None:
    async with Scene() as scene:
        scene.voice_on()
        await scene.voice.until("release")


async def test_a_turn_that_is_taken_lets_the_reply_go_at_once() -> None:
    async with Scene() as scene:
        scene.voice_on()
        scene.voice_off()
        scene.driver.turn_taken()
        assert not scene.voice.is_held


async def test_outside_the_agents_speech_everything_passes() -> None:
    async with Scene() as scene:
        scene.voice_on()
        await scene.hears(INTERIM, "yes")
        await scene.hears(FINAL, "yes")
        assert scene.passed == ["yes", "yes"]
        assert scene.told == []


async def test_an_echo_is_known_before_anybody_speaks_over_it() -> None:
    """Tones are no voice to a voice detector, and make a caller over them sound louder all the same."""
    agent, frame, delay = encode("apple river stone candle basket maple ocean garden " * 2), 240, 12
    frames = [agent[place : place + frame] for place in range(0, len(agent), frame)]
    async with Scene() as scene:
        scene.agent_speaks()
        began_at = time.monotonic()
        for place, samples in enumerate(frames):
            now = began_at + 0.01 * place
            scene.echo.played(samples, now)
            scene.echo.heard(frames[place - delay] // 4 if place >= delay else samples * 0, now)
            await asyncio.sleep(now - time.monotonic())
            if scene.echo.echo_power(now, 0.1):
                break
        else:
            raise AssertionError("the echo was not learnt while the agent spoke")
