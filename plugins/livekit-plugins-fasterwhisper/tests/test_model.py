from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed", exc_type=ImportError)

from livekit.plugins.fasterwhisper.model import Abandoned, Model, ModelError, ModelSettings, Transcript, Word

Build = Callable[..., Path]
AUDIO = np.zeros(2 * 16000, np.float32)
CPU = ModelSettings(device="cpu", threads=1)


class Checked(threading.Event):
    """Is set from the look on that is counted here."""

    def __init__(self, at_look: int) -> None:
        super().__init__()
        self.left = at_look

    def is_set(self) -> bool:
        self.left -= 1
        return self.left <= 0


@pytest.fixture
def hearing(build: Build, tmp_path: Path) -> Callable[..., Transcript]:
    """What a model hears that was built to hear `said`."""

    def hear(*said: str, languages: Sequence[str] = (), language: str | None = "en", prompt: str = "") -> Transcript:
        model = Model(build(tmp_path / "model", said, languages=languages), CPU)
        return model.transcribe(AUDIO, language=language, prompt=prompt, cancelled=threading.Event())

    return hear


def test_text_words_and_times_are_told(hearing: Callable[..., Transcript]) -> None:
    heard = hearing("<|0.00|>", " Hello", " there", ".", "<|1.00|>")
    assert (heard.text, heard.language) == ("Hello there.", "en")
    assert [(word.text, word.start_seconds, word.end_seconds) for word in heard.words] == [
        ("Hello", 0.0, 1.0),
        ("there.", 1.0, 1.5),
    ]
    assert heard.confidence == pytest.approx(1, abs=0.01)


def test_the_language_is_detected_in_the_same_pass(hearing: Callable[..., Transcript]) -> None:
    heard = hearing("<|0.00|>", " Guten", " Tag", "<|0.80|>", languages=["en", "de"], language=None)
    assert (heard.text, heard.language) == ("Guten Tag", "de")


@pytest.mark.parametrize("said", [["<|0.00|>", ".", ".", "<|1.00|>"], ["<|0.00|>", *[" thanks"] * 60, "<|1.00|>"], []])
def test_a_text_without_words_or_that_goes_round_in_circles_is_nothing_said(
    hearing: Callable[..., Transcript], said: list[str]
) -> None:
    assert hearing(*said) == Transcript("", "en")


def test_a_runaway_text_is_cut_to_what_can_be_said_in_the_time(hearing: Callable[..., Transcript]) -> None:
    words = [f" {first}{second}" for first in "abcdefghij" for second in "klmnopqrst"]
    heard = hearing("<|0.00|>", *words)
    assert len(heard.words) == 20 + 15 * 2 - 1  # the first token is a time


def test_a_long_prompt_leaves_room_for_the_text(hearing: Callable[..., Transcript]) -> None:
    assert hearing("<|0.00|>", " Hello", prompt="The names that are to be heard. " * 40).language == "en"


@pytest.mark.parametrize("look", [1, 2, 3])
def test_a_cancelled_decoding_ends_before_each_of_its_steps(models_folder: Path, look: int) -> None:
    model = Model(models_folder / "tiny.en", CPU)
    with pytest.raises(Abandoned):
        model.transcribe(AUDIO, language="en", prompt="", cancelled=Checked(at_look=look))
    assert model.transcribe(AUDIO, language="en", prompt="", cancelled=Checked(at_look=4)).text == "Hello there."


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)):
        Model(tmp_path, CPU)


def test_an_unknown_device_is_an_error_of_the_model(models_folder: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        Model(models_folder / "tiny.en", ModelSettings(device="abacus"))


def test_the_beginning_is_written_as_the_whole() -> None:
    words = tuple(Word(text, 0, 1, 0.9) for text in ("Hello", "there,", "you"))
    whole = Transcript("Hello there, you", "en", words)
    assert whole.beginning(2) == Transcript("Hello there,", "en", words[:2])
    assert whole.beginning(0) == Transcript("", "en")
    assert whole.beginning(3) is whole
    chinese = tuple(Word(text, 0, 1, 0.9, space_before=False) for text in "你好吗")
    assert Transcript("你好吗", "zh", chinese).beginning(2).text == "你好"


def test_confidence_is_the_words_geometric_mean() -> None:
    words = (Word("move", 0, 0.3, 0.9), Word("it", 0.3, 0.4, 0.4))
    assert Transcript("move it", "en", words).confidence == pytest.approx(0.6)
    assert Transcript("move it so", "en", (*words, Word("so", 0.4, 3, 0.0))).confidence == 0
    assert Transcript("", "en").confidence == 0
