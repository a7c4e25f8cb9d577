"""The benches' recorded speech is what its manifest says, and a broken manifest is refused by name."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import yaml
from pocketsphinx import Decoder

from voiceworker.lab.audio import SAMPLE_RATE, AudioError, Samples, trim
from voiceworker.lab.material import MaterialError, load_material, samples_of
from voiceworker.lab.speech import Speech, SpeechKind

TURNS = Path(__file__).parent.parent / "audio" / "turns"
MATERIAL = load_material(TURNS)
LINES = yaml.safe_load((TURNS / "lines.yaml").read_text())
VOICES = {"slt", "rms", "awb", "kal", "kal16"}
LONG_PAUSE_SECONDS = 0.25


def level(samples: Samples) -> float:
    """dB of full scale."""
    power = float(np.mean((samples / 32768.0) ** 2)) if samples.size else 0.0
    return float(10 * np.log10(power + 1e-12))


def pauses(speech: Speech) -> list[float]:
    gaps = (after.started_seconds - before.ended_seconds for before, after in pairwise(speech.words))
    return [gap for gap in gaps if gap >= LONG_PAUSE_SECONDS]


def test_there_is_as_much_of_every_kind_as_the_benches_need() -> None:
    kinds = Counter(speech.kind for speech in MATERIAL.speeches)
    assert kinds["turn"] == 80
    assert kinds["interruption"] == 120
    assert kinds["backchannel"] >= 40
    assert kinds["side_remark"] >= 30
    assert kinds["noise"] >= 40
    assert kinds["backchannel"] + kinds["side_remark"] + kinds["noise"] == 120


@pytest.mark.parametrize("kind", ["turn", "interruption", "backchannel", "side_remark"])
def test_five_voices_speak_equally_often(kind: SpeechKind) -> None:
    voices = Counter(speech.voice for speech in MATERIAL.of_kind(kind))
    assert set(voices) == VOICES
    assert max(voices.values()) - min(voices.values()) <= 1


def test_sixty_turns_pause_for_exactly_as_long_as_their_lines_say() -> None:
    listed = [[float(token[1:-1]) for token in line.split() if token.startswith("(")] for line in LINES["turn"]["once"]]
    assert sum(bool(line) for line in listed) == 60
    assert {0.3, 1.5} <= {pause for line in listed for pause in line}
    for speech, wanted in zip(MATERIAL.of_kind("turn"), listed, strict=True):
        assert pauses(speech) == pytest.approx(wanted, abs=0.002), speech.name


def test_only_turns_have_pauses() -> None:
    assert not [speech.name for speech in MATERIAL.speeches if speech.kind != "turn" and pauses(speech)]


def test_every_file_is_trimmed_and_as_long_as_the_manifest_says() -> None:
    for speech in MATERIAL.speeches:
        raw, rate = soundfile.read(speech.path, dtype="int16")
        assert rate == 16_000
        assert len(raw) / rate == pytest.approx(speech.seconds, abs=0.001), speech.name
        assert len(trim(raw)) == len(raw), speech.name
        assert len(samples_of(speech)) / SAMPLE_RATE == pytest.approx(speech.seconds, abs=0.005), speech.name


def test_no_file_lies_there_that_the_manifest_does_not_name() -> None:
    assert set(TURNS.glob("*/*.flac")) == {speech.path for speech in MATERIAL.speeches}


def test_every_word_sounds_and_every_pause_is_silent() -> None:
    for speech in MATERIAL.speeches:
        samples = samples_of(speech)
        whole = level(samples)
        for word in speech.words:
            span = samples[round(word.started_seconds * SAMPLE_RATE) : round(word.ended_seconds * SAMPLE_RATE)]
            assert level(span) > whole - 26, f"{speech.name}: {word}"
        for before, after in pairwise(speech.words):
            if after.started_seconds - before.ended_seconds < LONG_PAUSE_SECONDS:
                continue
            # 3 ms for the ringing of the change of rate
            begin, end = before.ended_seconds + 0.003, after.started_seconds - 0.003
            assert level(samples[round(begin * SAMPLE_RATE) : round(end * SAMPLE_RATE)]) < -85, speech.name


def test_a_line_is_said_word_by_word_from_the_first_sample_to_the_last() -> None:
    said = {speech.text for speech in MATERIAL.speeches}
    for kind in ("turn", "interruption", "backchannel", "side_remark"):
        for line in LINES[kind]["once"] + LINES[kind].get("twice", []):
            assert " ".join(token.rstrip(",") for token in line.split() if not token.startswith("(")) in said
    for speech in MATERIAL.speeches:
        if speech.words:
            assert speech.words[0].started_seconds == 0
            assert speech.words[-1].ended_seconds == pytest.approx(speech.seconds, abs=0.001)


def test_words_last_as_long_as_people_take_for_them() -> None:
    for speech in MATERIAL.speeches:
        for word in speech.words:
            assert 0.02 < word.ended_seconds - word.started_seconds < 1.3, f"{speech.name}: {word}"


def test_nothing_is_shorter_than_what_people_utter() -> None:
    assert min(speech.seconds for speech in MATERIAL.speeches) > 0.16


def test_a_recogniser_that_knows_the_words_hears_them_when_the_manifest_says() -> None:
    """Two sources of word times that know nothing of each other: the synthesiser's plan and an acoustic model."""
    recogniser = Decoder(lm=None, loglevel="FATAL")
    errors: list[float] = []
    for speech in (*MATERIAL.sample("turn", 15, seed=1), *MATERIAL.sample("interruption", 15, seed=1)):
        letters = (f"{word.text}." if word.text.isupper() and word.text != "I" else word.text for word in speech.words)
        lead = np.zeros(4800, np.int16)
        recogniser.set_align_text(" ".join(letters).lower())
        recogniser.start_utt()
        recogniser.process_raw(np.concatenate([lead, soundfile.read(speech.path, dtype="int16")[0], lead]).tobytes())
        recogniser.end_utt()
        heard = [segment for segment in recogniser.seg() if not segment.word.startswith(("<", "["))]
        for word, segment in zip(speech.words, heard, strict=True):
            errors.append(abs(segment.start_frame / 100 - 0.3 - word.started_seconds))
    assert len(errors) > 100
    assert float(np.median(errors)) < 0.015
    assert float(np.percentile(errors, 95)) < 0.06


def envelope(sound: str) -> list[tuple[Speech, npt.NDArray[np.float64]]]:
    """Mean level of every 10 ms of all noises of a sort, 1 where they are loudest."""
    found = []
    for speech in MATERIAL.of_kind("noise"):
        if speech.voice == sound:
            samples = samples_of(speech) / 32768
            frames = np.sqrt(np.mean(samples[: len(samples) // 240 * 240].reshape(-1, 240) ** 2, axis=1))
            found.append((speech, frames / frames.max()))
    return found


def test_laughs_come_in_four_to_six_notes_a_second() -> None:
    for speech, frames in envelope("laugh"):
        swing = frames - frames.mean()
        likeness = np.correlate(swing, swing, "full")[len(swing) - 1 :]
        lag = 10 + int(np.argmax(likeness[10:40]))
        assert 0.16 <= lag / 100 <= 0.25, speech.name


def test_coughs_and_knocks_begin_with_a_burst() -> None:
    for speech, frames in envelope("cough") + envelope("knock"):
        assert frames[:3].max() > 0.45, speech.name


@pytest.mark.parametrize(
    ("sound", "low_hertz", "high_hertz"),
    [
        ("knock", 100, 700),
        ("throat", 400, 2000),
        ("laugh", 400, 2000),
        ("cough", 1200, 3500),
        ("sneeze", 1500, 4500),
        ("sniff", 1500, 4500),
        ("cup", 2000, 6000),
    ],
)
def test_noises_have_their_weight_where_the_real_ones_have_it(sound: str, low_hertz: float, high_hertz: float) -> None:
    for speech, _ in envelope(sound):
        power = np.abs(np.fft.rfft(samples_of(speech).astype(float))) ** 2
        centroid = float((power * np.fft.rfftfreq(len(samples_of(speech)), 1 / SAMPLE_RATE)).sum() / power.sum())
        assert low_hertz < centroid < high_hertz, speech.name


def test_a_sample_is_the_same_for_the_same_seed_and_takes_the_voices_in_turn() -> None:
    drawn = MATERIAL.sample("interruption", 30, seed=4)
    assert drawn == MATERIAL.sample("interruption", 30, seed=4) != MATERIAL.sample("interruption", 30, seed=5)
    assert len(set(drawn)) == 30
    assert set(Counter(speech.voice for speech in drawn).values()) == {6}
    assert {speech.voice for speech in drawn[:5]} == VOICES
    assert set(MATERIAL.sample("turn", 80, seed=1)) == set(MATERIAL.of_kind("turn"))


def test_more_than_there_is_cannot_be_drawn() -> None:
    with pytest.raises(MaterialError, match="81 were asked for, there are 80"):
        MATERIAL.sample("turn", 81, seed=1)


def test_speech_is_found_by_its_name() -> None:
    speech = MATERIAL.speeches[17]
    assert MATERIAL.named(speech.name) is speech
    with pytest.raises(MaterialError, match="no speech named 'nobody'"):
        MATERIAL.named("nobody")


GOOD: dict[str, Any] = {
    "name": "stop",
    "kind": "interruption",
    "voice": "slt",
    "file": "stop.flac",
    "seconds": 0.5,
    "words": [["stop", 0.0, 0.5]],
}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kind": "shout"}, "stop: kind: Input should be"),
        ({"seconds": 0.0}, "stop: seconds: Input should be greater than 0"),
        ({"file": "gone.flac"}, "stop: gone.flac: no such file"),
        ({"words": [["stop", 0.0, 0.6]]}, "stop: 'stop' from 0.0 to 0.6 s is out of order or outside the file"),
        ({"words": [["a", 0.2, 0.3], ["b", 0.1, 0.4]]}, "stop: 'b' from 0.1 to 0.4 s is out of order"),
        ({"words": [[False, 0.0, 0.5]]}, "stop: a word is False, which is no text"),
        ({"words": [["stop", "0", 0.5]]}, "stop: the times of 'stop' are no numbers"),
        ({"words": [["stop", 0.0]]}, "stop: words.0: List should have at least 3 items"),
        ({"words": []}, "stop: noise has no words, everything else has some"),
        ({"pitch": 3}, "stop: pitch: Extra inputs are not permitted"),
        ({"name": ""}, "entry 1: name: String should have at least 1 character"),
    ],
)
def test_a_mistake_in_the_manifest_is_named(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    (tmp_path / "stop.flac").touch()
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"speeches": [GOOD | change]}))
    with pytest.raises(MaterialError) as raised:
        load_material(tmp_path)
    assert complaint in str(raised.value)


def test_a_name_stands_once(tmp_path: Path) -> None:
    (tmp_path / "stop.flac").touch()
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"speeches": [GOOD, GOOD]}))
    with pytest.raises(MaterialError, match="stop: the name stands twice"):
        load_material(tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("speeches: [", "is no YAML"), ("- a", "valid dictionary"), ("speeches: []", "speeches: List should have")],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "manifest.yaml").write_text(text)
    with pytest.raises(MaterialError, match=complaint):
        load_material(tmp_path)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MaterialError, match=r"manifest\.yaml: cannot be read"):
        load_material(tmp_path)


def test_audio_is_opened_only_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "stop.flac").write_bytes(b"no audio")
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"speeches": [GOOD]}))
    speech = load_material(tmp_path).named("stop")
    with pytest.raises(AudioError, match="not audio that can be read"):
        samples_of(speech)
