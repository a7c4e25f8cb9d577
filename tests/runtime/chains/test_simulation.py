"""200 turns with all providers out of order for two fifths of the time, in real time: what the caller would notice."""

from __future__ import annotations

import asyncio
import difflib
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from livekit import rtc
from livekit.agents import llm, stt, tts
from livekit.plugins import deepgram, openai

from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.emulators import TYPICAL, Fault, ProviderEmulators, Role
from voiceworker.lab.emulators.tones import decode, words_of
from voiceworker.lab.material import load_material, samples_of
from voiceworker.lab.speech import Speech, SpokenWord
from voiceworker.runtime.chains import Link, Switch
from voiceworker.runtime.chains.language_model import LanguageModelChain
from voiceworker.runtime.chains.recognition import SpeechRecognitionChain
from voiceworker.runtime.chains.voice import VoiceChain
from voiceworker.runtime.piecewise import speak_in_pieces
from voiceworker.runtime.word_times import Pace

MakeBench = Callable[..., AbstractAsyncContextManager[Any]]
MATERIAL = load_material(Path(__file__).parents[2] / "audio" / "turns")
KINDS = stt.SpeechEventType
LANES, TURNS = 4, 50
FRAME_SECONDS = 0.02
ENDPOINTING_SECONDS = 0.3
"from the end of speech to the turn, when the transcript is there"
LIMIT_SECONDS = 3.0
PRICES = {"stt": 0.0077 / 60, "prompt": 0.4e-6, "completion": 1.6e-6, "character": 30e-6}
FILLER = "One moment."
GREETING = "Amber anchor apple arrow autumn basket beacon."
FIRST, SECOND, LOCAL = "first", "second", "local"


def faults_of(role: Role) -> list[Fault]:
    """30 % fail and 10 % hang, at the beginning or in the midst."""
    kinds: list[tuple[Any, float, float]] = [
        ("refuse", 0.06, 0),
        ("status", 0.06, 0),
        ("reset", 0.06, 0.1),
        ("early_close", 0.06, 0.2 if role != "stt" else 1.0),
        ("error_midstream" if role != "stt" else "reset", 0.06, 0.15 if role != "stt" else 2.0),
        ("hang", 0.05, 0),
        ("hang", 0.05, 0.2 if role != "stt" else 1.0),
    ]
    return [Fault(role, kind, probability=share, after_seconds=after) for kind, share, after in kinds]


@dataclass
class Turn:
    silences: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)

    @property
    def longest_silence(self) -> float:
        return max(self.silences)


def lost(wanted: list[str], got: list[str]) -> tuple[int, int]:
    """Words that are missing, and words too many."""
    matcher = difflib.SequenceMatcher(None, wanted, got, autojunk=False)
    same = sum(block.size for block in matcher.get_matching_blocks())
    return len(wanted) - same, len(got) - same


async def _once(text: str) -> AsyncGenerator[str, None]:
    yield text


def rest_of(speech: Speech, words: int, folder: Path) -> Speech | None:
    """The speech from a word on."""
    if words == 0 or words >= len(speech.words):
        return speech if words == 0 else None
    begin = speech.words[words].started_seconds
    path = folder / f"{speech.name}-{words}.wav"
    soundfile.write(path, samples_of(speech)[round(begin * SAMPLE_RATE) :], SAMPLE_RATE)
    moved = tuple(
        SpokenWord(word.text, word.started_seconds - begin, word.ended_seconds - begin) for word in speech.words[words:]
    )
    return Speech(f"{speech.name}-{words}", speech.kind, speech.voice, path, moved, speech.seconds - begin)


class Ear(deepgram.STT):
    """Announces to its provider what is being said, when it begins to listen in the midst of it."""

    lane: Lane
    key: str

    def stream(self, **options: Any) -> Any:
        self.lane.opened(self.key)
        return super().stream(**options)


class Lane:
    """One caller after the other, at providers of their own."""

    def __init__(self, bench: Any, local: ProviderEmulators, folder: Path) -> None:
        self._folder = folder
        self._said_until = 0.0
        "as the providers take it: until then they would tell a new connection the rest of it"
        self._bench = bench
        self._local = local
        self._speech: Speech | None = None
        self.turns: list[Turn] = []
        self.ideal = dict.fromkeys(PRICES, 0.0)
        providers = {FIRST: bench.emulators, SECOND: bench.emulators, LOCAL: local}
        self._providers = providers
        ears: list[Link[stt.STT[Any]]] = []
        brains: list[Link[llm.LLM[Any]]] = []
        voices: list[Link[tts.TTS[Any]]] = []
        for key, emulators in providers.items():
            ear = Ear(base_url=f"{emulators.deepgram_url}/v1/listen", api_key=key, http_session=bench.http)
            ear.lane, ear.key = self, key
            ears.append(Link(key, ear))
            brains.append(Link(key, openai.LLM(model="gpt-4.1-mini", api_key=key, base_url=emulators.openai_url)))
            url = f"{emulators.deepgram_url}/v1/speak"
            voices.append(Link(key, deepgram.TTS(base_url=url, api_key=key, http_session=bench.http)))

        tell = self._note
        self._ears = SpeechRecognitionChain(ears, bench.breakers, tell)
        self._brains = LanguageModelChain(brains, bench.breakers, tell, filler=self._filler)
        self._voices = VoiceChain(voices, bench.breakers, tell)

    def _note(self, switch: Switch) -> None:
        if self.turns:
            self.turns[-1].switches.append(switch)

    def opened(self, key: str) -> None:
        """A provider knows speech by its beginning: one that is to hear the rest is told of the rest."""
        if self._speech is not None:
            rest = rest_of(self._speech, len(self.turns[-1].heard), self._folder)
            if rest is not None:
                now = time.perf_counter()
                self._providers[key].expect(rest, now, api_key=key)
                self._said_until = max(self._said_until, now + rest.seconds)

    def _filler(self) -> str:
        return FILLER

    async def talk(self, speeches: list[Speech]) -> None:
        for _ in range(3):  # so that the pace of the voices is known
            self.ideal["character"] += len(GREETING)
            async with aclosing(self._synthesize(_once(GREETING))) as frames:
                async for _frame in frames:
                    pass
        for speech in speeches:
            await self._turn(speech)

    async def aclose(self) -> None:
        for chain in (self._ears, self._brains, self._voices):
            await chain.aclose()

    async def _turn(self, speech: Speech) -> None:
        turn = Turn(said=[word.text for word in speech.words])
        self.turns.append(turn)
        ended_at = await self._listen(speech, turn)
        await self._answer(turn, ended_at)

    async def _listen(self, speech: Speech, turn: Turn) -> float:
        changed = asyncio.Event()

        async def read(stream: stt.RecognizeStream) -> None:
            async for event in stream:
                if event.type is KINDS.FINAL_TRANSCRIPT:
                    turn.heard += event.alternatives[0].text.split()
                    changed.set()

        await asyncio.sleep(self._said_until - time.perf_counter())
        silence = np.zeros(SAMPLE_RATE * 5, np.int16)
        samples = np.concatenate([samples_of(speech), silence])
        frame = round(FRAME_SECONDS * SAMPLE_RATE)
        async with self._ears.stream() as stream:
            reading = asyncio.ensure_future(read(stream))
            for _ in range(10):  # the line is open before the caller speaks
                stream.push_frame(rtc.AudioFrame(bytes(2 * frame), SAMPLE_RATE, 1, frame))
                self.ideal["stt"] += FRAME_SECONDS
                await asyncio.sleep(FRAME_SECONDS)
            began_at = time.perf_counter()
            self._speech = speech
            self._providers[self._ears.serving].expect(speech, began_at, api_key=self._ears.serving)
            ended_at = began_at + speech.seconds
            for index, begin in enumerate(range(0, len(samples), frame)):
                part = samples[begin : begin + frame]
                stream.push_frame(rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, len(part)))
                self.ideal["stt"] += FRAME_SECONDS
                await asyncio.sleep(max(0.0, began_at + (index + 1) * FRAME_SECONDS - time.perf_counter()))
                quiet = time.perf_counter() - ended_at
                if quiet >= ENDPOINTING_SECONDS and len(turn.heard) >= len(turn.said):
                    break
            self._speech = None
            reading.cancel()
        return ended_at

    async def _answer(self, turn: Turn, ended_at: float) -> None:
        context = llm.ChatContext.empty()
        context.add_message(role="system", content="You are the receptionist of a practice. " * 40)
        context.add_message(role="user", content=" ".join(turn.said))
        frames: list[rtc.AudioFrame] = []
        playing_until = ended_at
        text = ""

        async def write() -> AsyncGenerator[str, None]:
            nonlocal text
            async with self._brains.chat(chat_ctx=context) as reply:
                async for chunk in reply:
                    if chunk.delta is not None and chunk.delta.content:
                        text += chunk.delta.content
                        yield chunk.delta.content

        async with aclosing(speak_in_pieces(write(), self._opened, self._synthesize, Pace())) as speech:
            async for frame in speech:
                now = time.perf_counter()
                turn.silences.append(max(0.0, now - playing_until))
                playing_until = max(now, playing_until) + frame.duration
                frames.append(frame)
        text = text.removeprefix(f"{FILLER} ")
        turn.written = words_of(text)
        self._count(context, text)
        samples = np.concatenate([np.frombuffer(frame.data, np.int16) for frame in frames])
        turn.spoken = [word.text for word in decode(samples, frames[0].sample_rate)]

    async def _opened(self) -> None:
        """The turn is the agent's."""

    async def _synthesize(self, text: AsyncIterable[str]) -> AsyncGenerator[rtc.AudioFrame, None]:
        """As the framework's own node does it."""
        async with self._voices.stream() as stream:

            async def write() -> None:
                async for part in text:
                    stream.push_text(part)
                stream.end_input()

            writing = asyncio.ensure_future(write())
            async for audio in stream:
                yield audio.frame
            await writing

    def _count(self, context: llm.ChatContext, text: str) -> None:
        prompt = sum(len(str(item.text_content).split()) + 4 for item in context.messages())
        self.ideal["prompt"] += prompt
        self.ideal["completion"] += len(re.findall(r"\S+", text))
        self.ideal["character"] += len(text)

    @property
    def costs(self) -> dict[str, tuple[float, float]]:
        """Paid for each kind, and what it would have been without a fault."""
        paid = dict.fromkeys(PRICES, 0.0)
        for bill in (self._bench.emulators.bill, self._local.bill):  # as if the last of them were paid for, too
            paid["stt"] += bill.total("stt").audio_seconds
            paid["prompt"] += bill.total("llm").prompt_tokens
            paid["completion"] += bill.total("llm").completion_tokens
            paid["character"] += bill.total("tts").characters
        return {kind: (paid[kind] * PRICES[kind], self.ideal[kind] * PRICES[kind]) for kind in PRICES}


@pytest.mark.lab
@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_two_hundred_turns_with_providers_that_fail(bench_of: MakeBench, tmp_path: Path) -> None:
    speeches = list(MATERIAL.sample("turn", min(LANES * TURNS, len(MATERIAL.of_kind("turn"))), seed=5))
    speeches = (speeches * (LANES * TURNS // len(speeches) + 1))[: LANES * TURNS]
    faults = [fault for role in ("stt", "llm", "tts") for fault in faults_of(role)]

    async def run(number: int) -> Lane:
        async with (
            bench_of(*faults, delays=TYPICAL, speech_speed=8.0, seed=number, alone=False) as bench,
            ProviderEmulators(delays=TYPICAL) as local,
        ):
            lane = Lane(bench, local, tmp_path)
            await lane.talk(speeches[number::LANES])
            await lane.aclose()
            return lane

    lanes = await asyncio.gather(*(run(number) for number in range(LANES)))
    turns = [turn for lane in lanes for turn in lane.turns]
    report(lanes, turns)
    said = sum(len(turn.said) for turn in turns)
    written = sum(len(turn.written) for turn in turns)
    assert sum(lost(turn.said, turn.heard)[0] for turn in turns) <= 0.005 * said
    assert sum(lost(turn.written, turn.spoken)[0] for turn in turns) <= 0.02 * written


def report(lanes: list[Lane], turns: list[Turn]) -> None:
    silences = sorted(turn.longest_silence for turn in turns)
    said, written = sum(len(turn.said) for turn in turns), sum(len(turn.written) for turn in turns)
    heard = [lost(turn.said, turn.heard) for turn in turns]
    spoken = [lost(turn.written, [word for word in turn.spoken if word != "?"]) for turn in turns]
    costs = {kind: [sum(lane.costs[kind][part] for lane in lanes) for part in (0, 1)] for kind in PRICES}
    paid, ideal = (sum(cost[part] for cost in costs.values()) for part in (0, 1))
    late = sum(silence > LIMIT_SECONDS for silence in silences)
    switches = Counter(switch.role for turn in turns for switch in turn.switches)
    print(
        f"\n{len(turns)} turns, switches {dict(switches)}; longest silence p50 {silences[len(silences) // 2]:.2f} s, "
        f"p95 {silences[int(len(silences) * 0.95)]:.2f} s, most {silences[-1]:.2f} s; over 3 s: {late}"
        f"\nheard: {said} words, lost {sum(one for one, _ in heard)}, too many {sum(one for _, one in heard)}"
        f"\nspoken: {written} words, lost {sum(one for one, _ in spoken)}, too many {sum(one for _, one in spoken)}"
        f"\ncost {paid:.4f} against {ideal:.4f}: {100 * (paid / ideal - 1):+.1f} %; "
        + ", ".join(f"{kind} {one:.4f} against {other:.4f}" for kind, (one, other) in costs.items())
    )
