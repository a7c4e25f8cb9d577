"""The stock plugin behind the gate and beside it, on the emulated provider, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, stt
from livekit.plugins import deepgram, openai

from voiceworker.lab.audio import SAMPLE_RATE, Samples, room_noise
from voiceworker.lab.emulators import Delays, Fault, ProviderEmulators
from voiceworker.lab.material import Material, load_material, samples_of
from voiceworker.lab.speech import Speech, SpeechKind
from voiceworker.prices import load_prices
from voiceworker.runtime.chains import Breakers, Link, Switch
from voiceworker.runtime.chains.recognition import SpeechRecognitionChain
from voiceworker.runtime.metering import Meter
from voiceworker.runtime.speech_gate import GatedStream, SpeechGate, gate_detector, gate_settings

pytestmark = pytest.mark.slow

MATERIAL = Path(__file__).parents[1] / "audio" / "turns"
FINAL, INTERIM = stt.SpeechEventType.FINAL_TRANSCRIPT, stt.SpeechEventType.INTERIM_TRANSCRIPT
USAGE = stt.SpeechEventType.RECOGNITION_USAGE
FRAME = SAMPLE_RATE // 50
FAST = 16.0
"times as fast as speech at most: the emulator and the gate go by the audio"
AGAIN = APIConnectOptions(max_retry=3, retry_interval=0.02, timeout=2)


@pytest.fixture(scope="module")
def material() -> Material:
    return load_material(MATERIAL)


@pytest_asyncio.fixture
async def emulators() -> AsyncIterator[ProviderEmulators]:
    async with ProviderEmulators(delays=Delays(final_seconds=0.02)) as emulators:
        yield emulators


Plugin = Callable[[ProviderEmulators, aiohttp.ClientSession, str], stt.STT[Any]]


def nova(emulators: ProviderEmulators, http: aiohttp.ClientSession, key: str) -> stt.STT[Any]:
    return deepgram.STT(base_url=f"{emulators.deepgram_url}/v1/listen", api_key=key, http_session=http)


def flux(emulators: ProviderEmulators, http: aiohttp.ClientSession, key: str) -> stt.STT[Any]:
    url = emulators.deepgram_url.replace("http", "ws", 1)
    return deepgram.STTv2(base_url=f"{url}/v2/listen", api_key=key, http_session=http)


@dataclass
class Line:
    """One way to the provider: what was said on it came back as these events."""

    recogniser: stt.STT[Any]
    stream: stt.RecognizeStream
    events: list[tuple[stt.SpeechEvent, float]] = field(default_factory=list)
    "each with how much of the call had been said by then, in seconds"

    def of_kind(self, kind: stt.SpeechEventType) -> list[stt.SpeechEvent]:
        return [event for event, _ in self.events if event.type is kind]

    def said_by(self, kind: stt.SpeechEventType) -> list[float]:
        return [said for event, said in self.events if event.type is kind]

    @property
    def finals(self) -> list[stt.SpeechData]:
        return [event.alternatives[0] for event in self.of_kind(FINAL)]

    @property
    def texts(self) -> list[str]:
        return [final.text for final in self.finals]


class PhoneCall:
    """Says the same on every line, at its pace."""

    def __init__(self, emulators: ProviderEmulators, speed: float, noise: float = 1.0) -> None:
        self.emulators = emulators
        self.lines: dict[str, Line] = {}
        self.samples = 0
        self._speed = speed
        self._noise = noise * room_noise(2.0)
        self._started_at = time.perf_counter()

    async def listen(self, line: Line) -> None:
        async for event in line.stream:
            line.events.append((event, self.samples / SAMPLE_RATE))

    async def silence(self, seconds: float) -> None:
        await self.sound(np.zeros(round(seconds * SAMPLE_RATE), np.int16))

    async def say(self, speech: Speech, *, gain: float = 1.0) -> None:
        self.emulators.expect(speech, time.perf_counter())
        await self.sound((gain * samples_of(speech)).astype(np.int16))

    async def sound(self, samples: Samples) -> None:
        for begin in range(0, len(samples), FRAME):
            frame = samples[begin : begin + FRAME]
            floor = np.take(self._noise, range(self.samples, self.samples + len(frame)), mode="wrap")
            frame = (frame + floor).clip(-32768, 32767).astype(np.int16)
            self.samples += len(frame)
            for line in self.lines.values():
                line.stream.push_frame(rtc.AudioFrame(frame.tobytes(), SAMPLE_RATE, 1, len(frame)))
            due = self._started_at + self.samples / SAMPLE_RATE / self._speed
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            while not self._all_have_followed():
                await asyncio.sleep(0.001)

    def _all_have_followed(self) -> bool:
        """On a busy machine the call gets slower, and nothing else."""
        for key, line in self.lines.items():
            if key == "chain":
                continue
            if isinstance(line.stream, GatedStream):
                behind, most = line.stream.lag_seconds, 0.1
            else:
                behind, most = self.samples / SAMPLE_RATE - self.sent_seconds(key), 0.3
            if behind > most:
                return False
        return True

    async def hang_up(self) -> None:
        """Once all that was said has been transcribed. (The plugin itself takes up to 5 s to end.)"""
        for line in self.lines.values():
            line.stream.end_input()
        async with asyncio.timeout(5):
            for key, line in self.lines.items():
                while not self._has_answered(key, line):
                    await asyncio.sleep(0.01)
                await line.stream.aclose()

    def _has_answered(self, key: str, line: Line) -> bool:
        sent = [one for one in self.emulators.heard if one.is_final and one.api_key == key]
        connections = [one for one in self.emulators.requests if one.api_key == key]
        return all(one.ended_at is not None for one in connections) and len(line.finals) == len(sent)

    def sent_seconds(self, key: str) -> float:
        return self.emulators.bill.account(key, "stt").audio_seconds


@contextlib.asynccontextmanager
async def call(
    emulators: ProviderEmulators,
    *,
    speed: float = FAST,
    noise: float = 1.0,
    keys: Sequence[str] = ("gated", "plain"),
    plugin: Plugin = nova,
) -> AsyncIterator[PhoneCall]:
    """A call over the gate and one without, which get the same audio. At the end all transcripts are there."""
    async with aiohttp.ClientSession() as http:
        call = PhoneCall(emulators, speed, noise)
        async with asyncio.TaskGroup() as listening:
            for key in keys:
                recogniser = plugin(emulators, http, key)
                if key == "gated":
                    recogniser = SpeechGate(recogniser, vad=gate_detector())
                call.lines[key] = line = Line(recogniser, recogniser.stream(conn_options=AGAIN))
                listening.create_task(call.listen(line))
            yield call
            await call.hang_up()


def same_times(gated: Line, plain: Line, *, of_words_only: bool = False) -> None:
    for one, other in zip(gated.finals, plain.finals, strict=True):
        if not of_words_only:
            assert one.start_time == pytest.approx(other.start_time, abs=0.05)
            assert one.end_time == pytest.approx(other.end_time, abs=0.05)
        for word, same in zip(one.words or [], other.words or [], strict=True):
            assert str(word) == str(same)
            assert word.start_time == pytest.approx(same.start_time, abs=0.05)
            assert word.end_time == pytest.approx(same.end_time, abs=0.05)


async def converse(call: PhoneCall, speeches: Sequence[Speech], speech_share: float) -> None:
    """Each with the silence around it that makes it this share of the time: the agent answers, and the caller thinks"""
    for speech in speeches:
        silence = speech.seconds * (1 - speech_share) / speech_share
        await call.silence(0.6 * silence)
        await call.say(speech)
        await call.silence(0.4 * silence)


@pytest.mark.parametrize(
    "turns", [pytest.param(4, id="four turns"), pytest.param(80, id="all turns", marks=pytest.mark.slow)]
)
async def test_a_call_of_forty_percent_speech_costs_half_and_reads_the_same(
    emulators: ProviderEmulators, material: Material, turns: int
) -> None:
    async with call(emulators) as phone:
        await converse(phone, material.sample("turn", turns, seed=1), 0.4)
    gated, plain = phone.lines["gated"], phone.lines["plain"]
    assert len(plain.texts) >= turns
    assert gated.texts == plain.texts
    same_times(gated, plain)
    assert phone.sent_seconds("gated") <= 0.5 * phone.sent_seconds("plain")
    assert emulators.unheard == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["interruption", "side_remark", "backchannel"])
async def test_short_words_read_the_same(emulators: ProviderEmulators, material: Material, kind: SpeechKind) -> None:
    async with call(emulators) as phone:
        await converse(phone, material.sample(kind, 34, seed=2), 0.2)
    gated, plain = phone.lines["gated"], phone.lines["plain"]
    assert gated.texts == plain.texts
    same_times(gated, plain)


async def test_a_soft_voice_in_a_noisy_room_is_heard_from_its_first_word(
    emulators: ProviderEmulators, material: Material
) -> None:
    speeches = material.sample("turn", 3, seed=3)
    async with call(emulators, noise=6.0) as phone:
        for speech in speeches:
            await phone.silence(1.5)
            await phone.say(speech, gain=0.15)
        await phone.silence(1.5)
    assert phone.lines["gated"].texts == phone.lines["plain"].texts
    said = " ".join(speech.text for speech in speeches).lower().split()
    assert len(" ".join(phone.lines["gated"].texts).split()) == len(said)


async def test_a_caller_who_goes_on_is_heard_on(emulators: ProviderEmulators, material: Material) -> None:
    one, other = material.sample("turn", 2, seed=4)
    async with call(emulators) as phone:
        await phone.silence(0.5)
        await phone.say(one)
        await phone.silence(0.45)  # the gate has shut, and its pre-roll reaches back behind that
        await phone.say(other)
        await phone.silence(0.5)
    assert phone.lines["gated"].texts == phone.lines["plain"].texts
    same_times(phone.lines["gated"], phone.lines["plain"])


async def test_noise_is_not_sent(emulators: ProviderEmulators) -> None:
    async with call(emulators, noise=10.0, speed=60) as phone:
        await phone.silence(20)
    assert phone.sent_seconds("plain") == pytest.approx(20, abs=0.1)
    assert phone.sent_seconds("gated") == 0


async def test_coughs_shut_the_gate_again(emulators: ProviderEmulators, material: Material) -> None:
    async with call(emulators, speed=30) as phone:
        for noise in material.sample("noise", 6, seed=5):
            await phone.silence(3)
            await phone.say(noise)
        await phone.silence(3)
    assert phone.lines["gated"].finals == []
    assert phone.sent_seconds("gated") < 0.35 * phone.sent_seconds("plain")


async def test_interims_come_as_early_as_without_a_gate(emulators: ProviderEmulators, material: Material) -> None:
    """By the audio that had been said when they came: at the pace of speech the gate opens within 0.1 s of it."""
    async with call(emulators, speed=4) as phone:
        await phone.silence(0.6)
        await phone.say(material.sample("turn", 1, seed=6)[0])
        await phone.silence(0.6)
    gated, plain = phone.lines["gated"].said_by(INTERIM), phone.lines["plain"].said_by(INTERIM)
    assert gated[0] - plain[0] < 0.2
    assert len(gated) >= len(plain) - 1


async def test_what_the_engine_was_sent_is_told_as_usage(emulators: ProviderEmulators, material: Material) -> None:
    async with call(emulators) as phone:
        await converse(phone, material.sample("turn", 1, seed=7), 0.5)
    gate = phone.lines["gated"].recogniser
    assert isinstance(gate, SpeechGate)
    usages = [event.recognition_usage for event in phone.lines["gated"].of_kind(USAGE)]
    told = sum(usage.audio_duration for usage in usages if usage is not None)
    assert told == pytest.approx(phone.sent_seconds("gated"), abs=0.02)
    assert gate.sent_seconds == pytest.approx(told)
    assert gate.heard_seconds == pytest.approx(phone.samples / SAMPLE_RATE)


async def test_words_that_a_lost_connection_took_with_it_are_sent_again(material: Material) -> None:
    speech = next(
        one for one in material.of_kind("interruption") if one.seconds > 1.0 and one.longest_pause_seconds < 0.1
    )
    fault = Fault("stt", "reset", nth=1, after_seconds=0.5)
    async with ProviderEmulators(faults=[fault]) as emulators, call(emulators, speed=2, keys=["gated"]) as phone:
        await phone.silence(0.4)
        await phone.say(speech)
        await phone.silence(1)
    assert emulators.bill.account("gated", "stt").requests == 2
    assert " ".join(phone.lines["gated"].texts) == speech.text


async def test_a_connection_that_is_not_to_be_had_is_the_callers_error(emulators: ProviderEmulators) -> None:
    async with aiohttp.ClientSession() as http:
        plugin = deepgram.STT(base_url="http://127.0.0.1:9/v1/listen", api_key="nobody", http_session=http)
        gate = SpeechGate(plugin, vad=gate_detector())
        errors: list[stt.STTError] = []
        gate.on("error", errors.append)
        async with gate.stream(conn_options=APIConnectOptions(max_retry=1, retry_interval=0.01, timeout=1)) as stream:
            with pytest.raises(APIConnectionError):
                await anext(stream)
    assert [error.recoverable for error in errors] == [True, False]


async def test_a_stream_that_never_opened_closes(emulators: ProviderEmulators) -> None:
    async with call(emulators, keys=["gated"]) as phone:
        await phone.silence(1)
    assert phone.lines["gated"].events == []
    assert emulators.bill.account("gated", "stt").cancelled_requests == 0


async def test_a_stream_is_closed_in_the_midst_of_speech(emulators: ProviderEmulators, material: Material) -> None:
    async with aiohttp.ClientSession() as http:
        plugin = deepgram.STT(base_url=f"{emulators.deepgram_url}/v1/listen", api_key="key", http_session=http)
        before = asyncio.all_tasks()
        stream = SpeechGate(plugin, vad=gate_detector()).stream()
        samples = samples_of(material.of_kind("turn")[0])
        stream.push_frame(rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, len(samples)))
        await asyncio.sleep(0.05)
        await stream.aclose()
        assert asyncio.all_tasks() - before == set()


@pytest.mark.slow
async def test_the_connection_outlives_a_long_silence(emulators: ProviderEmulators, material: Material) -> None:
    """Longer than the ten seconds after which Deepgram hangs up: the plugin keeps the connection by itself."""
    async with call(emulators, speed=1, keys=["gated"]) as phone:
        await phone.silence(12)
        await phone.say(material.of_kind("turn")[0])
        await phone.silence(1)
    assert emulators.bill.account("gated", "stt").requests == 1
    assert " ".join(phone.lines["gated"].texts) == material.of_kind("turn")[0].text


async def test_an_explicit_flush_reaches_the_engine(emulators: ProviderEmulators, material: Material) -> None:
    """Though it comes with the audio, before the detector has seen any of it."""
    speech = next(one for one in material.of_kind("turn") if one.longest_pause_seconds < 0.1)
    async with aiohttp.ClientSession() as http:
        plugin = deepgram.STT(base_url=f"{emulators.deepgram_url}/v1/listen", api_key="key", http_session=http)
        async with SpeechGate(plugin, vad=gate_detector()).stream() as stream:
            stream.start_time_offset = 100.0
            emulators.expect(speech, time.perf_counter())
            samples = samples_of(speech)
            stream.push_frame(rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, len(samples)))
            stream.flush()
            async with asyncio.timeout(3):
                final = await anext(event async for event in stream if event.type is FINAL)
    assert final.alternatives[0].text == speech.text
    assert final.alternatives[0].end_time == pytest.approx(100 + speech.seconds, abs=0.1)


async def test_flux_gets_the_silence_by_which_it_ends_turns_and_no_more(
    emulators: ProviderEmulators, material: Material
) -> None:
    async with call(emulators, plugin=flux) as phone:
        await converse(phone, material.sample("turn", 3, seed=8), 0.25)
    assert phone.lines["gated"].texts == phone.lines["plain"].texts
    # a turn of Flux is dated from the end of the last one, with the silence before it
    same_times(phone.lines["gated"], phone.lines["plain"], of_words_only=True)
    assert phone.sent_seconds("gated") < 0.75 * phone.sent_seconds("plain")


@pytest.mark.slow
async def test_flux_is_kept_alive_by_a_little_silence(emulators: ProviderEmulators, material: Material) -> None:
    """It has no message for that, and hangs up after ten seconds without audio."""
    async with call(emulators, speed=1, keys=["gated"], plugin=flux) as phone:
        await phone.silence(12)
        assert phone.sent_seconds("gated") < 1
        await phone.say(material.of_kind("turn")[0])
        await phone.silence(1)
    assert emulators.bill.account("gated", "stt").requests == 1
    assert " ".join(phone.lines["gated"].texts) == material.of_kind("turn")[0].text


async def test_a_meter_within_the_gate_counts_what_is_sent(emulators: ProviderEmulators, material: Material) -> None:
    meter = Meter(load_prices(), "USD")
    async with call(
        emulators, keys=["gated"], plugin=lambda *place: meter.stt("deepgram/nova-3", nova(*place))
    ) as phone:
        await converse(phone, material.sample("turn", 1, seed=9), 0.4)
    assert meter.totals().seconds == pytest.approx(phone.sent_seconds("gated"), abs=0.05)
    assert meter.totals().seconds < 0.6 * phone.samples / SAMPLE_RATE


@pytest.mark.slow
async def test_a_chain_goes_on_from_one_gate_to_the_next(material: Material) -> None:
    speech = next(one for one in material.of_kind("turn") if one.longest_pause_seconds < 0.1)
    fault = Fault("stt", "reset", nth=1, after_seconds=0.6, api_key="first")
    switches: list[Switch] = []
    async with ProviderEmulators(faults=[fault]) as emulators, aiohttp.ClientSession() as http:
        gates: dict[str, stt.STT[Any]] = {
            key: SpeechGate(nova(emulators, http, key), vad=gate_detector()) for key in ("first", "second")
        }
        breakers = Breakers()
        chain = SpeechRecognitionChain([Link(key, gate) for key, gate in gates.items()], breakers, switches.append)
        phone = PhoneCall(emulators, speed=1.0)
        phone.lines["chain"] = line = Line(chain, chain.stream())
        async with asyncio.TaskGroup() as listening:
            task = listening.create_task(phone.listen(line))
            await phone.silence(0.3)
            await phone.say(speech)
            await phone.silence(1.5)
            task.cancel()
        await line.stream.aclose()
        await chain.aclose()
        await breakers.aclose()
    assert [switch.new for switch in switches] == ["second"]
    assert " ".join(line.texts) == speech.text
    assert line.finals[-1].end_time == pytest.approx(0.3 + speech.seconds, abs=0.2)


async def test_all_else_is_the_engines() -> None:
    async with aiohttp.ClientSession() as http:
        plugin = deepgram.STT(model="nova-3", api_key="key", http_session=http)
        gate = SpeechGate(plugin, vad=gate_detector())
        assert (gate.label, gate.model, gate.provider) == (plugin.label, plugin.model, plugin.provider)
        assert gate.capabilities is plugin.capabilities
        of_flux = gate_settings(deepgram.STTv2(api_key="key", http_session=http))
        assert of_flux.patience_seconds > 5  # its own longest wait for the end of a turn
        assert of_flux.keep_alive_seconds is not None
        assert gate_settings(plugin).keep_alive_seconds is None
        with pytest.raises(ValueError, match="does not stream"):
            SpeechGate(openai.STT(model="whisper-1", api_key="key"), vad=gate_detector())
