from pathlib import Path

import numpy as np
import pytest
import soundfile

from voiceworker.lab.audio import (
    QUIET_SECONDS,
    SAMPLE_RATE,
    AudioError,
    Samples,
    SpeechDetector,
    StereoRecorder,
    read_speech,
    room_noise,
    trim,
)


def tone(seconds: float, amplitude: int = 8000) -> Samples:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (amplitude * np.sin(2 * np.pi * 440 * time)).astype(np.int16)


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * SAMPLE_RATE), np.int16)


@pytest.mark.parametrize(("rate", "channels", "suffix"), [(8000, 1, "wav"), (44100, 2, "flac"), (48000, 1, "ogg")])
def test_a_file_of_any_rate_and_format_is_read_without_its_silence(
    tmp_path: Path, rate: int, channels: int, suffix: str
) -> None:
    time = np.arange(rate) / rate
    speech = 0.5 * np.sin(2 * np.pi * 440 * time)
    padded = np.concatenate([np.zeros(rate // 2), speech, np.zeros(rate // 2)])
    path = tmp_path / f"speech.{suffix}"
    soundfile.write(path, np.stack([padded] * channels, axis=1), rate)
    samples = read_speech(path)
    assert samples.dtype == np.int16
    assert len(samples) / SAMPLE_RATE == pytest.approx(1.0, abs=0.03)


def test_what_cannot_be_spoken_is_refused_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("this is no audio")
    quiet = tmp_path / "quiet.wav"
    soundfile.write(quiet, np.zeros(8000), 8000)
    long = tmp_path / "long.wav"
    soundfile.write(long, np.zeros(601 * 100), 100)
    for path, reason in [
        (tmp_path / "nowhere.wav", "no such file"),
        (text, "not audio that can be read"),
        (tmp_path, "not audio that can be read"),
        (quiet, "holds no sound"),
        (long, "longer than 10 minutes"),
    ]:
        with pytest.raises(AudioError, match=reason) as caught:
            read_speech(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)


def test_trimming_leaves_speech_and_nothing_of_silence() -> None:
    speech = tone(0.1)
    trimmed = trim(np.concatenate([silence(0.2), speech, silence(0.1)]))
    assert len(speech) - 10 < len(trimmed) <= len(speech)
    assert trim(silence(1)).size == 0
    assert trim(silence(0)).size == 0


def test_room_noise_is_faint_and_never_zero_for_long() -> None:
    noise = room_noise()
    assert np.abs(noise.astype(int)).max() < 60
    frames = noise[: len(noise) // 240 * 240].reshape(-1, 240)
    assert (np.abs(frames.astype(int)).max(axis=1) > 0).all()


def hear(detector: SpeechDetector, samples: Samples, begin: float = 0.0) -> None:
    frame = SAMPLE_RATE // 100
    for index in range(0, len(samples), frame):
        piece = samples[index : index + frame]
        detector.hear(piece, begin + (index + len(piece)) / SAMPLE_RATE)


def test_speech_is_on_at_the_first_loud_sample_and_off_at_the_last_before_quiet() -> None:
    detector = SpeechDetector()
    gap = QUIET_SECONDS - 0.05
    hear(
        detector,
        np.concatenate([room_noise(1.0), tone(0.5), silence(gap), tone(0.5), silence(0.4), tone(0.2), silence(0.4)]),
        begin=100.0,
    )
    spans = [(round(item.started_at, 2), round(item.last_loud_at, 2), item.over) for item in detector.stretches]
    assert spans == [(101.0, 102.2, True), (102.6, 102.8, True)]
    assert detector.onset_after(101.5) == pytest.approx(102.6, abs=0.002)
    assert detector.onset_after(103) is None
    assert detector.heard_after(102.7)
    assert not detector.heard_after(102.9)


def test_nothing_heard_is_no_speech() -> None:
    detector = SpeechDetector()
    hear(detector, room_noise())
    assert detector.stretches == []
    assert detector.last_loud_at is None


def test_a_recording_has_both_sides_at_their_time(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    frame = SAMPLE_RATE // 100
    with StereoRecorder(path, started_at=50.0) as recorder:
        for index in range(1000):
            now = 50.0 + (index + 1) / 100
            recorder.left(np.full(frame, 1000 if index < 100 else 0, np.int16), now)
            if index >= 600:  # the agent's track comes six seconds late, with jitter
                recorder.right(np.full(frame, 2000, np.int16), now + 0.004 * (index % 3))
    recorded, rate = soundfile.read(path, dtype="int16")
    assert rate == SAMPLE_RATE
    assert recorded.shape == (10 * SAMPLE_RATE, 2)
    left, right = recorded[:, 0], recorded[:, 1]
    assert (left[:SAMPLE_RATE] == 1000).all()
    assert not left[SAMPLE_RATE:].any()
    assert not right[: 6 * SAMPLE_RATE - 10].any()
    assert (right[6 * SAMPLE_RATE + frame : -frame] == 2000).all()


def test_a_recording_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be written"):
        StereoRecorder(tmp_path / "nowhere" / "call.wav", 0.0)
    with pytest.raises(AudioError, match="cannot be written"):
        StereoRecorder(tmp_path / "call.txt", 0.0)
