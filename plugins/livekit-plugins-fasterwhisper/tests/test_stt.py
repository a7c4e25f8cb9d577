from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed", exc_type=ImportError)

from livekit import rtc
from livekit.agents import APIConnectionError, inference
from livekit.agents.stt import RecognizeStream, SpeechEvent, SpeechEventType
from livekit.plugins.fasterwhisper import STT, MissingModelError

pytestmark = pytest.mark.slow

Samples = npt.NDArray[np.int16]
Speech = Mapping[str, Samples]
Engine = Callable[..., STT]
SILENCE = np.zeros(16000, np.int16)
BOOK, YES = "frontdesk-10", "frontdesk-23"


def frames(samples: Samples, rate: int = 16000, channels: int = 1) -> list[rtc.AudioFrame]:
    """20 ms each, as LiveKit delivers them."""
    size = rate // 50 * channels
    cuts = [samples[start : start + size] for start in range(0, len(samples) - size + 1, size)]
    return [rtc.AudioFrame(cut.tobytes(), rate, channels, size // channels) for cut in cuts]


async def heard(stream: RecognizeStream, *parts: Samples) -> list[SpeechEvent]:
    for frame in frames(np.concatenate(parts)):
        stream.push_frame(frame)
    stream.end_input()
    return [event async for event in stream]


def texts(events: list[SpeechEvent], kind: SpeechEventType = SpeechEventType.FINAL_TRANSCRIPT) -> list[str]:
    return [event.alternatives[0].text for event in events if event.type == kind]


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("fasterwhisper")}


async def test_an_utterance_is_final_at_its_end(engine: Engine, speech: Speech) -> None:
    async with engine().stream() as stream:
        events = await heard(stream, SILENCE, speech[YES], SILENCE)
    kinds = [event.type for event in events if event.type != SpeechEventType.RECOGNITION_USAGE]
    assert kinds[0] == SpeechEventType.START_OF_SPEECH
    assert kinds[-2:] == [SpeechEventType.FINAL_TRANSCRIPT, SpeechEventType.END_OF_SPEECH]
    assert texts(events) == ["Hello there."]
    assert set(texts(events, SpeechEventType.INTERIM_TRANSCRIPT)) <= {"Hello there."}
    assert len({event.request_id for event in events if event.alternatives}) == 1


async def test_words_carry_their_times_in_the_session(engine: Engine, speech: Speech) -> None:
    async with engine().stream() as stream:
        stream.start_time_offset = 100.0
        events = await heard(stream, SILENCE, speech[YES], SILENCE, SILENCE, speech[YES], SILENCE)
    first, second = (event.alternatives[0] for event in events if event.type == SpeechEventType.FINAL_TRANSCRIPT)
    assert first.words is not None
    assert [str(word) for word in first.words] == ["Hello", "there."]
    times = [moment for word in first.words for moment in (word.start_time, word.end_time)]
    assert times == [first.start_time, first.start_time + 1.0, first.start_time + 1.0, first.end_time]
    assert 100.3 < first.start_time < 101.3
    assert second.start_time - first.start_time == pytest.approx(2.0 + len(speech[YES]) / 16000, abs=0.3)
    assert first.confidence > 0.9


async def test_a_pause_is_decoded_before_it_is_known_to_be_the_end(engine: Engine, speech: Speech) -> None:
    async with engine(vad=inference.VAD(min_silence_duration=30)).stream() as stream:
        for frame in frames(np.concatenate([SILENCE, speech[YES], SILENCE])):
            stream.push_frame(frame)
        kinds = [(await anext(stream)).type for _ in range(2)]
    assert kinds == [SpeechEventType.START_OF_SPEECH, SpeechEventType.INTERIM_TRANSCRIPT]


async def test_a_flush_ends_the_utterance(engine: Engine, speech: Speech) -> None:
    async with engine().stream() as stream:
        for frame in frames(np.concatenate([SILENCE, speech[YES]])):
            stream.push_frame(frame)
        stream.flush()
        events = await heard(stream, SILENCE, speech[YES], SILENCE)
    assert texts(events) == ["Hello there."] * 2


async def test_a_speech_without_end_is_given_in_parts(engine: Engine, speech: Speech) -> None:
    endless = np.concatenate([sentence[4000:-4000] for sentence in speech.values()])[: 16000 * 40]
    async with engine(vad=inference.VAD(min_silence_duration=5)).stream() as stream:
        events = await heard(stream, SILENCE, endless, SILENCE)
    assert texts(events) == ["Hello there."] * 2
    first, second = (event.alternatives[0] for event in events if event.type == SpeechEventType.FINAL_TRANSCRIPT)
    assert second.start_time - first.start_time == pytest.approx(28, abs=0.1)
    assert [event.type for event in events].count(SpeechEventType.START_OF_SPEECH) == 1


async def test_other_rates_and_channels_are_understood(engine: Engine, speech: Speech) -> None:
    stereo = np.repeat(np.repeat(np.concatenate([SILENCE, speech[YES], SILENCE]), 3), 2)
    stt = engine()
    async with stt.stream() as stream:
        for frame in frames(stereo, rate=48000, channels=2):
            stream.push_frame(frame)
        stream.end_input()
        events = [event async for event in stream]
    assert texts(events) == ["Hello there."]
    whole = await stt.recognize(rtc.AudioFrame(stereo.tobytes(), 48000, 2, len(stereo) // 2))
    assert texts([whole]) == ["Hello there."]


async def test_the_language_is_detected_when_none_is_given(engine: Engine, speech: Speech) -> None:
    buffer = frames(speech[YES])
    detecting, english = engine(model="tiny", language=None), engine(model="tiny", language="en-GB")
    assert (await detecting.recognize(buffer)).alternatives[0].language == "de"
    assert (await english.recognize(buffer)).alternatives[0].language == "en"
    assert (await english.recognize(buffer, language="de")).alternatives[0].language == "de"


async def test_all_audio_is_reported_as_used(engine: Engine, speech: Speech) -> None:
    async with engine().stream() as stream:
        events = await heard(stream, SILENCE, speech[BOOK], SILENCE, SILENCE, SILENCE)
    used = sum(event.recognition_usage.audio_duration for event in events if event.recognition_usage)
    assert used == pytest.approx(4.0 + len(speech[BOOK]) / 16000, abs=0.05)


async def test_silence_is_nobody_speaking(engine: Engine) -> None:
    async with engine().stream() as stream:
        assert texts(await heard(stream, SILENCE, SILENCE)) == []


async def test_the_event_loop_turns_while_whisper_works(engine: Engine, speech: Speech) -> None:
    stt = engine()
    recognizing = asyncio.ensure_future(stt.recognize(frames(speech[BOOK])))
    turns = 0
    while not recognizing.done():
        turns += 1
        await asyncio.sleep(0)
    assert texts([await recognizing]) == ["Hello there."]
    assert turns > 100


async def test_a_cancelled_recognition_does_not_hinder_the_next(engine: Engine, speech: Speech) -> None:
    stt = engine()
    tasks = [asyncio.ensure_future(stt.recognize(frames(speech[BOOK]))) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    assert texts([await stt.recognize(frames(speech[YES]))]) == ["Hello there."]
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


async def test_a_call_fetches_nothing(engine: Engine, speech: Speech, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("a connection is being made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert texts([await engine().recognize(frames(speech[YES]))]) == ["Hello there."]
    with pytest.raises(MissingModelError):
        engine(model="small.en")


async def test_closing_in_the_middle_of_a_sentence_leaves_no_thread(engine: Engine, speech: Speech) -> None:
    stt = engine()
    stream = stt.stream()
    for frame in frames(np.concatenate([SILENCE, speech[BOOK]])):
        stream.push_frame(frame)
    assert (await anext(stream)).type == SpeechEventType.START_OF_SPEECH
    await stream.aclose()
    await stt.aclose()
    assert threads() == set()


async def test_files_that_are_no_model_fail_the_stream_and_not_the_closing(
    engine: Engine, speech: Speech, models_folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "tiny.en"
    broken.mkdir()
    for file in (models_folder / "tiny.en").iterdir():
        (broken / file.name).write_bytes(file.read_bytes()[:100] if file.name == "model.bin" else file.read_bytes())
    stt = engine(download_root=tmp_path)
    with pytest.raises(APIConnectionError, match=r"tiny\.en cannot be loaded"):
        await stt.recognize(frames(speech[YES]))
    with pytest.raises(APIConnectionError, match=r"tiny\.en cannot be loaded"):
        async with stt.stream() as stream:
            await heard(stream, SILENCE, speech[YES], SILENCE)
    await stt.aclose()


def test_a_missing_file_is_named_with_the_command_that_fetches_it(models_folder: Path) -> None:
    with pytest.raises(MissingModelError, match=r"small\.en/config\.json.* python agent\.py download-files"):
        STT(model="small.en", download_root=models_folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "smal.en"}, r"no Whisper model 'smal\.en'; nearest: small\.en"),
        ({"model": "../tiny.en"}, "no model's name"),
        ({"language": "de"}, "does not know the language de; it knows: en"),
        ({"model": "tiny", "language": "fr"}, "it knows: de, en"),
    ],
)
def test_a_wrong_option_is_refused_at_once(options: dict[str, str], message: str, models_folder: Path) -> None:
    with pytest.raises(ValueError, match=message):
        STT(**({"model": "tiny.en"} | options), download_root=models_folder)
