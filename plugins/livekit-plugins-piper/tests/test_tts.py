from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from livekit.agents import APIConnectionError
from livekit.agents import tts as agents_tts

pytest.importorskip("piper", reason="piper-tts is not installed", exc_type=ImportError)
pytest.importorskip("onnx", reason="onnx, which makes the tests' voices, is not installed", exc_type=ImportError)

from livekit.plugins.piper import TTS, MissingVoiceError, VoiceError

pytestmark = pytest.mark.slow

Voice = Callable[..., TTS]
TWO_SENTENCES = "Hello there, how are you? I am well. "


async def listen(stream: agents_tts.SynthesizeStream | agents_tts.ChunkedStream) -> np.ndarray:
    """int16[samples]."""
    async with stream:
        chunks = [np.frombuffer(audio.frame.data, np.int16) async for audio in stream]
    return np.concatenate(chunks) if chunks else np.zeros(0, np.int16)


async def say(voice: TTS, *parts: str) -> np.ndarray:
    stream = voice.stream()
    for part in parts:
        stream.push_text(part)
    stream.end_input()
    return await listen(stream)


async def test_the_first_audio_comes_before_the_sentence_is_complete(voice: Voice) -> None:
    stream = voice().stream()
    stream.push_text("Certainly sir, ")
    async with stream:
        first = await asyncio.wait_for(anext(stream), 10)
        assert first.frame.samples_per_channel > 0
        stream.push_text("I can do that for you.")
        stream.end_input()
        assert [audio async for audio in stream][-1].is_final


@pytest.mark.parametrize(("name", "rate"), [("en_US-hum-low", 16000), ("en_US-choir-medium", 22050)])
async def test_the_sample_rate_is_the_voices_own(voice: Voice, name: str, rate: int) -> None:
    tts = voice(voice=name)
    assert (tts.sample_rate, tts.model, tts.provider, tts.language) == (rate, name, "piper", "en-us")
    async with tts.synthesize("Hello there.") as stream:
        async for audio in stream:
            assert (audio.frame.sample_rate, audio.frame.num_channels) == (rate, 1)


async def test_text_in_parts_is_the_same_audio_as_the_whole(voice: Voice) -> None:
    tts = voice()
    whole = await listen(tts.synthesize(TWO_SENTENCES))
    assert len(whole) > 16000 * 0.5
    for heard in (await say(tts, *TWO_SENTENCES), await say(tts, TWO_SENTENCES)):
        assert np.array_equal(heard, whole[: len(heard)])
        assert len(whole) - len(heard) <= 160  # the framework ends the audio of a whole text with 10 ms of silence


async def test_sentences_have_a_pause_between_them_and_none_at_the_end(voice: Voice) -> None:
    heard = await say(voice(), "I am well. You are well.")
    silent = np.flatnonzero(np.convolve(heard == 0, np.ones(3200), "valid") == 3200)
    assert len(silent) == 1
    assert heard[-100:].any()


async def test_a_faster_voice_takes_less_time_and_a_quiet_one_is_quieter(voice: Voice) -> None:
    tts = voice()
    plain = await listen(tts.synthesize("Hello."))
    tts.update_options(speed=2, volume=0.5)
    changed = await listen(tts.synthesize("Hello."))
    assert len(changed) == pytest.approx(len(plain) / 2, rel=0.05)
    assert changed.max() == pytest.approx(plain.max() / 2, rel=0.01)


async def test_speakers_are_chosen_by_name_or_number(voice: Voice) -> None:
    first, named, numbered = [
        await listen(voice(voice="en_US-choir-medium", speaker=speaker).synthesize("Hello."))
        for speaker in (None, "speaker2", 2)
    ]
    assert np.array_equal(named, numbered)
    assert not np.array_equal(first, named)


@pytest.mark.parametrize("text", ["😀", "   ", "...", "—", "\x00\x01"])
async def test_text_with_nothing_to_say_is_no_error(voice: Voice, text: str) -> None:
    tts = voice()
    for heard in (await say(tts, text), await listen(tts.synthesize(text))):
        assert not heard.any()


async def test_the_event_loop_turns_while_the_voice_is_loaded_and_speaks(voice: Voice) -> None:
    speaking = asyncio.ensure_future(listen(voice().synthesize(TWO_SENTENCES * 5)))
    turns = 0
    while not speaking.done():
        turns += 1
        await asyncio.sleep(0)
    assert len(await speaking) > 16000
    assert turns > 100


async def test_a_closed_stream_stops_in_the_middle_of_a_sentence(voice: Voice) -> None:
    tts = voice()
    await say(tts, "Hello.")
    tts.update_options(speed=0.25)  # these voices then never come to an end
    stream = tts.stream()
    stream.push_text("This is never over. ")
    stream.flush()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.1)
    await stream.aclose()
    tts.update_options(speed=1)
    assert len(await say(tts, "Hello.")) > 0


async def test_closing_the_voice_leaves_no_thread(voice: Voice) -> None:
    tts = voice()
    await say(tts, "Hello.")
    tts.update_options(speed=0.25)
    speaking = asyncio.ensure_future(listen(tts.synthesize("This is never over. ")))
    await asyncio.sleep(0)
    await tts.aclose()
    with pytest.raises(RuntimeError, match=r"closed|shutdown"):
        await speaking
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("piper")]


async def test_streams_take_turns(voice: Voice) -> None:
    tts = voice()
    long_one = asyncio.ensure_future(listen(tts.synthesize("One more sentence is said. " * 300)))
    await asyncio.sleep(0)
    assert len(await say(tts, "Hello there.")) > 0
    assert not long_one.done()
    long_one.cancel()
    await asyncio.wait([long_one])


async def test_a_stream_does_not_run_far_ahead_of_its_playback(voice: Voice) -> None:
    given = 0.0
    async with voice().synthesize("One more sentence is said. " * 100) as stream:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                async for audio in stream:
                    given += audio.frame.duration
    assert 5 < given < 20


async def test_a_file_that_is_no_network_fails_the_stream(voice: Voice, voices_folder: Path, tmp_path: Path) -> None:
    name = "en_US-hum-low.onnx"
    (tmp_path / name).write_bytes((voices_folder / name).read_bytes()[:200])
    (tmp_path / f"{name}.json").write_bytes((voices_folder / f"{name}.json").read_bytes())
    tts = voice(download_root=tmp_path)
    with pytest.raises(APIConnectionError, match=r"en_US-hum-low\.onnx cannot be loaded"):
        await listen(tts.synthesize("Hello."))


def test_a_missing_file_is_named_with_the_command_that_fetches_it(voices_folder: Path) -> None:
    with pytest.raises(MissingVoiceError, match=r"en_US-lessac-medium\.onnx is .*: python agent\.py download-files"):
        TTS(voice="en_US-lessac-medium", download_root=voices_folder)


@pytest.mark.parametrize("settings", ["", "{}", "[]", '{"audio": 1}'])
def test_settings_that_describe_no_voice_are_named(voices_folder: Path, tmp_path: Path, settings: str) -> None:
    (tmp_path / "broken.onnx").write_bytes((voices_folder / "en_US-hum-low.onnx").read_bytes())
    (tmp_path / "broken.onnx.json").write_text(settings or " ", encoding="utf-8")
    with pytest.raises(VoiceError, match=r"broken\.onnx\.json does not describe a voice"):
        TTS(voice="broken", download_root=tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"voice": "lessac"}, "no voice of Piper's: they are called like en_US-lessac-medium"),
        ({"voice": "../hum"}, "no voice's name"),
        ({"speaker": 1}, r"no speaker 1; it has one alone"),
        (
            {"voice": "en_US-choir-medium", "speaker": "bass"},
            "no speaker 'bass'; speaker0, speaker1, speaker2 or 0 to 2",
        ),
        ({"speed": 9.0}, "speed must be 0.25 to 4, not 9"),
        ({"volume": 2.0}, "volume must be 0 to 1"),
    ],
)
def test_a_wrong_option_is_refused_at_once(options: dict[str, object], message: str, voices_folder: Path) -> None:
    with pytest.raises(ValueError, match=message):
        TTS(**({"voice": "en_US-hum-low"} | options), download_root=voices_folder)  # type: ignore[arg-type]


async def test_usage_is_measured(voice: Voice) -> None:
    tts = voice()
    collected: list[object] = []
    tts.on("metrics_collected", collected.append)
    await say(tts, "Hello there.")
    assert [metric.characters_count for metric in collected] == [12]  # type: ignore[attr-defined]
