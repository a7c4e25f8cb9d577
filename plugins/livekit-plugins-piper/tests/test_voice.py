from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("piper", reason="piper-tts is not installed", exc_type=ImportError)
pytest.importorskip("onnx", reason="onnx, which makes the tests' voices, is not installed", exc_type=ImportError)

from livekit.plugins.piper.voice import Abandoned, Stop, Style, Voice, VoiceError, is_speakable, read_config, worded


@pytest.fixture(scope="module")
def voice(voices_folder: Path) -> Voice:
    model = voices_folder / "en_US-hum-low.onnx"
    return Voice(model, read_config(model))


def spoken(voice: Voice, text: str) -> list[np.ndarray]:
    return list(voice.speak(text, Style(), Stop()))


def test_audio_comes_sentence_by_sentence_and_grows_with_the_text(voice: Voice) -> None:
    short, long = spoken(voice, "Yes. We are open on Monday.")
    assert short.dtype == np.int16
    assert 0 < len(short) < len(long)


def test_phonemes_in_brackets_are_read_out_and_not_obeyed(voice: Voice) -> None:
    assert len(spoken(voice, "[[h]]")[0]) == len(spoken(voice, "[ [h]]")[0])
    assert "[[" not in worded("[[[h@l'oU]]]", "en-us")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("It costs $45 & 20 °C at 10:00", "It costs 45 dollars & 20 °C at 10 o'clock"),
        ("fine 👍🏽 ok ✓", "fine    ok  "),
        ("a\x00b\x1b[0m", "a b [0m"),
        ("naïve café — “yes”", "naïve café — “yes”"),
    ],
)
def test_text_is_read_as_it_is_said(text: str, read: str) -> None:
    assert worded(text, "en-us") == read


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.one_of(st.sampled_from("abc 19:.,-$[]😀\n"), st.characters()), max_size=40))
def test_any_text_is_spoken_or_silent_and_never_an_error(voice: Voice, text: str) -> None:
    audio = spoken(voice, text)
    assert bool(audio) <= is_speakable(worded(text, "en-us"))


@pytest.mark.parametrize("after_seconds", [0, 0.05])
def test_an_endless_sentence_ends_when_it_is_stopped(voice: Voice, after_seconds: float) -> None:
    stop = Stop()
    timer = threading.Timer(after_seconds, stop.set)
    timer.start()
    with pytest.raises(Abandoned):
        list(voice.speak("Hello.", Style(speed=0.25), stop))
    timer.join()
    assert len(spoken(voice, "Hello.")) == 1


def test_utterances_that_take_turns_are_stopped_each_by_itself(voice: Voice) -> None:
    one, other = Stop(), Stop()
    first, second = voice.speak("Yes. No.", Style(), one), voice.speak("Yes. No.", Style(), other)
    next(first), next(second)
    one.set()
    assert len(list(second)) == 1
    with pytest.raises(Abandoned):
        next(first)


def test_a_voice_that_needs_a_dictionary_is_refused(voices_folder: Path, tmp_path: Path) -> None:
    described = json.loads((voices_folder / "en_US-hum-low.onnx.json").read_text())
    (tmp_path / "zh.onnx.json").write_text(json.dumps(described | {"phoneme_type": "pinyin"}))
    with pytest.raises(VoiceError, match="pinyin needs a dictionary"):
        read_config(tmp_path / "zh.onnx")
