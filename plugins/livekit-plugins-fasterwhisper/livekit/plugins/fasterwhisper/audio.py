"""Audio frames as Whisper wants them: 16 kHz, mono."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from livekit import rtc
from livekit.agents import utils

SAMPLE_RATE = 16_000


def mono(frame: rtc.AudioFrame) -> rtc.AudioFrame:
    """The mean of the channels."""
    if frame.num_channels == 1:
        return frame
    samples = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels).mean(axis=1)
    return rtc.AudioFrame(samples.astype(np.int16).tobytes(), frame.sample_rate, 1, frame.samples_per_channel)


def to_pcm(buffer: utils.AudioBuffer) -> bytes:
    """The whole buffer, whatever its rate, as int16 little endian."""
    frame = mono(rtc.combine_audio_frames(buffer))
    if frame.sample_rate == SAMPLE_RATE:
        return frame.data.tobytes()
    resampler = rtc.AudioResampler(frame.sample_rate, SAMPLE_RATE, quality=rtc.AudioResamplerQuality.HIGH)
    return b"".join(part.data.tobytes() for part in (*resampler.push(frame), *resampler.flush()))


def to_floats(pcm: bytes) -> npt.NDArray[np.float32]:
    """float32[samples], -1 to 1."""
    return np.frombuffer(pcm, np.int16).astype(np.float32) / np.float32(32768)


def seconds_of(pcm: bytes | bytearray) -> float:
    return len(pcm) / 2 / SAMPLE_RATE
