"""Flux by a clock of its own, and the stock plugin on it over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from livekit import rtc
from livekit.agents import APIConnectOptions, APIStatusError, stt
from livekit.plugins import deepgram

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech
from voiceworker.lab.emulators import Fault, ProviderEmulators
from voiceworker.lab.emulators.delays import TYPICAL
from voiceworker.lab.emulators.flux import FluxTranscriber
from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.listening import FluxOptions
from voiceworker.lab.speech import Speech

pytestmark = pytest.mark.slow

MakeSpeech = Callable[..., Speech]
EAGER = FluxOptions(sample_rate=SAMPLE_RATE, eager_eot_threshold=0.4)
STEP = SAMPLE_RATE // 100


class Line:
    """A caller's line into Flux, in steps of 10 ms of a clock of its own that begins at 100 s."""

    def __init__(self, options: FluxOptions = EAGER) -> None:
        self.now = 100.0
        self.expectations = Expectations()
        self.stream = FluxTranscriber(options, TYPICAL, self.expectations, "key", self.now, "id")
        self.said: list[tuple[float, dict[str, Any]]] = []

    def say(self, speech: Speech) -> None:
        self.expectations.add(speech, self.now)
        self.send(read_speech(speech.path))

    def quiet(self, seconds: float) -> None:
        self.send(np.zeros(round(seconds * SAMPLE_RATE), np.int16))

    def send(self, samples: Samples) -> None:
        for begin in range(0, len(samples), STEP):
            piece = samples[begin : begin + STEP]
            self.now += len(piece) / SAMPLE_RATE
            self.stream.receive(piece, b"", self.now)
            self.said += [(self.now - 100, sent.message) for sent in self.stream.send_due(self.now)]

    def order(self, **order: Any) -> list[dict[str, Any]]:
        self.stream.obey(order, self.now)
        sent = [one.message for one in self.stream.send_due(self.now)]
        self.said += [(self.now - 100, message) for message in sent]
        return sent

    def events(self, *names: str) -> list[tuple[float, dict[str, Any]]]:
        return [(at, message) for at, message in self.said if message.get("event") in names]

    def story(self) -> list[str]:
        """The changes of state."""
        return [message["event"] for _, message in self.said if message.get("event") not in (None, "Update")]


def test_a_turn_begins_and_ends_with_its_words(make_speech: MakeSpeech) -> None:
    line = Line(FluxOptions(sample_rate=SAMPLE_RATE))
    line.say(make_speech("What is the price?"))
    line.quiet(0.5)
    assert line.story() == ["StartOfTurn", "EndOfTurn"]
    ((began, _), (ended, end)) = line.events("StartOfTurn", "EndOfTurn")
    assert began == pytest.approx(TYPICAL.first_interim_seconds, abs=0.02)
    assert ended == pytest.approx(1.2 + TYPICAL.final_seconds, abs=0.02)
    assert (end["transcript"], end["trigger"], end["turn_index"]) == ("What is the price?", "model", 0)
    assert [(word["word"], word["start"]) for word in end["words"]][1] == ("is", pytest.approx(0.3, abs=0.01))
    assert end["end_of_turn_confidence"] >= 0.7


def test_a_pause_may_look_like_the_end_and_is_taken_back(make_speech: MakeSpeech) -> None:
    stories: dict[str, list[str]] = {}
    for seed in range(6):  # how much it looks like the end is drawn
        line = Line(FluxOptions(sample_rate=SAMPLE_RATE, eager_eot_threshold=0.45, seed=seed))
        line.say(make_speech("what is | the price"))
        line.quiet(0.5)
        stories[" ".join(line.story())] = [message["transcript"] for _, message in line.events("EagerEndOfTurn")]
    assert stories == {
        "StartOfTurn EagerEndOfTurn EndOfTurn": ["what is the price"],
        "StartOfTurn EagerEndOfTurn TurnResumed EagerEndOfTurn EndOfTurn": ["what is", "what is the price"],
    }


def test_a_hesitating_caller_is_waited_for_as_long_as_the_client_says(make_speech: MakeSpeech) -> None:
    line = Line(FluxOptions(sample_rate=SAMPLE_RATE, eot_threshold=1.0, eot_timeout_seconds=0.5))
    line.say(make_speech("what is the price"))
    line.quiet(0.8)
    ((at, end),) = line.events("EndOfTurn")
    assert at == pytest.approx(1.7, abs=0.02)
    assert end["trigger"] == "timeout"


def test_a_client_may_end_the_turn_itself(make_speech: MakeSpeech) -> None:
    line = Line()
    line.say(make_speech("what is the price"))
    line.order(type="ForceEndTurn")
    ((_, end),) = line.events("EndOfTurn")
    assert (end["transcript"], end["trigger"]) == ("what is the price", "manual")
    line.quiet(1.0)
    assert len(line.events("EndOfTurn")) == 1


def test_thresholds_and_terms_are_configured_while_it_runs() -> None:
    line = Line()
    (applied,) = line.order(type="Configure", thresholds={"eot_threshold": 0.9}, keyterms=["haircut"])[1:]
    assert applied["type"] == "ConfigureSuccess"
    assert applied["thresholds"] == {"eot_threshold": 0.9, "eager_eot_threshold": 0.4, "eot_timeout_ms": 5000}
    assert applied["keyterms"] == ["haircut"]
    (refused,) = line.order(type="Configure", thresholds={"eot_threshold": 0.3})
    assert (refused["type"], refused["code"]) == ("ConfigureFailure", "INVALID_CONFIGURATION")
    assert line.stream.options.eot_threshold == 0.9


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_what_the_provider_promises_of_its_states_holds(data: st.DataObject, make_speech: MakeSpeech) -> None:
    eot = data.draw(st.floats(0.5, 0.9))
    eager = data.draw(st.none() | st.floats(0.3, 0.9).map(lambda value: min(value, eot)))
    seed = data.draw(st.integers(0, 50))
    line = Line(FluxOptions(sample_rate=SAMPLE_RATE, eot_threshold=eot, eager_eot_threshold=eager, seed=seed))
    texts = data.draw(st.lists(st.sampled_from(["yes", "what is | the price", "I would | like | a cut"]), max_size=3))
    for text in texts:
        line.say(make_speech(text))
        line.quiet(data.draw(st.sampled_from([0.35, 0.6, 1.0])))
    line.quiet(1.0)

    messages = [message for _, message in line.said]
    assert [message["sequence_id"] for message in messages] == list(range(len(messages)))
    said = " ".join(message["transcript"] for _, message in line.events("EndOfTurn"))
    assert said == " ".join(texts).replace("| ", "")
    state, turn, eager_text, last_text = "initial", 0, "", ""
    for message in messages[1:]:
        event, text = message["event"], message["transcript"]
        assert message["turn_index"] == turn
        assert text == " ".join(word["word"] for word in message["words"])
        if event == "StartOfTurn":
            assert (state, bool(text)) == ("initial", True)
            state = "ongoing"
        elif event == "EagerEndOfTurn":
            assert (state, bool(text), eager is not None) == ("ongoing", True, True)
            state, eager_text = "awaiting", text
        elif event == "TurnResumed":
            assert state == "awaiting"
            state = "ongoing"
        elif event == "EndOfTurn":
            assert state != "initial"
            assert state != "awaiting" or text == eager_text
            state, turn, last_text = "initial", turn + 1, ""
            continue
        assert state == "initial" or text.startswith(last_text)
        last_text = text


# --- over the wire ---


def recogniser(emulators: ProviderEmulators, http: aiohttp.ClientSession, **options: Any) -> deepgram.STTv2:
    url = f"{emulators.deepgram_url}/v2/listen"
    return deepgram.STTv2(base_url=url, api_key="key-a", http_session=http, **options)


def say(emulators: ProviderEmulators, stream: stt.RecognizeStream, speech: Speech) -> None:
    emulators.expect(speech, time.perf_counter())
    samples = np.concatenate([read_speech(speech.path), np.zeros(SAMPLE_RATE // 2, np.int16)])
    stream.push_frame(rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, len(samples)))


async def until_end(stream: AsyncIterator[stt.SpeechEvent]) -> list[stt.SpeechEvent]:
    events = []
    async with asyncio.timeout(5):
        async for event in stream:
            events.append(event)
            if event.type is stt.SpeechEventType.END_OF_SPEECH:
                break
    return events


async def test_the_stock_plugin_hears_turns(
    emulators: ProviderEmulators, http: aiohttp.ClientSession, make_speech: MakeSpeech
) -> None:
    async with recogniser(emulators, http, eager_eot_threshold=0.4).stream() as stream:
        say(emulators, stream, make_speech("What is | the price?"))
        events = await until_end(stream)
        say(emulators, stream, make_speech("Stop, please."))
        second = await until_end(stream)
    kinds = [event.type for event in events]
    assert kinds[0] is stt.SpeechEventType.START_OF_SPEECH
    assert stt.SpeechEventType.PREFLIGHT_TRANSCRIPT in kinds
    final = next(event for event in events if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT).alternatives[0]
    assert final.text == "What is the price?"
    assert [str(word) for word in final.words or []] == ["What", "is", "the", "price?"]
    assert (final.words or [])[2].start_time == pytest.approx(1.0, abs=0.02)
    assert any(event.alternatives and event.alternatives[0].text == "Stop, please." for event in second)
    assert [one.text for one in emulators.heard if one.is_final] == ["What is the price?", "Stop, please."]
    assert emulators.bill.total("stt", "key-a").audio_seconds == pytest.approx(3.2, abs=0.2)


async def test_the_stock_plugin_configures_it_while_it_runs(
    http: aiohttp.ClientSession, make_speech: MakeSpeech
) -> None:
    async with ProviderEmulators(wire_log=True) as emulators:
        flux = recogniser(emulators, http)
        async with flux.stream() as stream:
            say(emulators, stream, make_speech("yes"))
            await until_end(stream)
            flux.update_options(eot_threshold=0.8, keyterm=["haircut"])
            say(emulators, stream, make_speech("no"))
            await until_end(stream)
        (exchange,) = emulators.wire.exchanges
    applied = [message for message in exchange.messages("sent") if message["type"] == "ConfigureSuccess"]
    assert [one["keyterms"] for one in applied] == [["haircut"]]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault("stt", "status", nth=1, status=429), 429),
        (Fault("stt", "error_midstream", nth=1), 1011),
        (Fault("stt", "early_close", nth=1), 1000),
    ],
)
async def test_a_fault_is_the_plugin_s_own_error(
    fault: Fault, status: int, http: aiohttp.ClientSession, make_speech: MakeSpeech
) -> None:
    once = APIConnectOptions(max_retry=0, timeout=5)
    async with ProviderEmulators(faults=[fault]) as emulators:
        stream = recogniser(emulators, http).stream(conn_options=once)
        with pytest.raises(APIStatusError) as raised:
            await until_end(stream)
        await stream.aclose()
        assert raised.value.status_code == status
        assert emulators.bill.total("stt").failed_requests == 1


@pytest.mark.parametrize(
    "query", ["model=nova-3", "model=flux-general-en&eot_threshold=0.2", "model=flux-general-en&eot_timeout_ms=soon"]
)
async def test_a_wrong_option_is_a_bad_request(
    query: str, emulators: ProviderEmulators, http: aiohttp.ClientSession
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as error:
        await http.ws_connect(f"{emulators.deepgram_url}/v2/listen?{query}", headers={"Authorization": "Token key"})
    assert error.value.status == 400
