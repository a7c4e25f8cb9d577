"""Audio frames as the decoder wants them: int16 little endian, 16 kHz, mono."""

from __future__ import annotations

import numpy as np
from livekit import rtc
from livekit.agents import utils

from .native import SAMPLE_RATE


def mono(frame: rtc.AudioFrame) -> rtc.AudioFrame:
    """The mean of the channels."""
    if frame.num_channels == 1:
        return frame
    samples = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels).mean(axis=1)
    return rtc.AudioFrame(samples.astype(np.int16).tobytes(), frame.sample_rate, 1, frame.samples_per_channel)


def to_pcm(buffer: utils.AudioBuffer) -> bytes:
    """The whole buffer, whatever its rate."""
    frame = mono(rtc.combine_audio_frames(buffer))
    if frame.sample_rate == SAMPLE_RATE:
        return frame.data.tobytes()
    resampler = rtc.AudioResampler(frame.sample_rate, SAMPLE_RATE, quality=rtc.AudioResamplerQuality.HIGH)
    return b"".join(part.data.tobytes() for part in (*resampler.push(frame), *resampler.flush()))
