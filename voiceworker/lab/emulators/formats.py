"""Speech as bytes: the encodings and containers that clients ask the providers for, made as a stream."""

from __future__ import annotations

import struct
from typing import Protocol

import av
import numpy as np

from voiceworker.lab.audio import Samples


class Encoder(Protocol):
    content_type: str

    def encode(self, samples: Samples) -> bytes:
        """The bytes that can be sent by now; maybe none."""

    def finish(self) -> bytes: ...


class Linear16:
    """Little-endian samples; as WAV with a header of unknown length, as the providers stream it."""

    def __init__(self, sample_rate: int, *, wav: bool = False) -> None:
        self.content_type = "audio/wav" if wav else "audio/pcm"
        self._head = _wav_header(sample_rate) if wav else b""

    def encode(self, samples: Samples) -> bytes:
        head, self._head = self._head, b""
        return head + samples.astype("<i2").tobytes()

    def finish(self) -> bytes:
        return b""


class Companded:
    """G.711: `mulaw` or `alaw`, a byte a sample."""

    def __init__(self, encoding: str) -> None:
        self.content_type = "audio/basic" if encoding == "mulaw" else "audio/x-alaw-basic"
        self._table = _companding_table(encoding)

    def encode(self, samples: Samples) -> bytes:
        return self._table[samples.astype(np.int32) + 32768].tobytes()

    def finish(self) -> bytes:
        return b""


class _Pipe:
    """A file that takes bytes and gives them on; it cannot be sought, so no header is written afterwards."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._data)
        self._data.clear()
        return taken


class Compressed:
    """MP3, Opus in Ogg, AAC or FLAC, by FFmpeg's encoders."""

    _FORMATS = {  # noqa: RUF012 - read only
        "mp3": ("mp3", "libmp3lame", "audio/mpeg"),
        "opus": ("ogg", "libopus", "audio/ogg"),
        "aac": ("adts", "aac", "audio/aac"),
        "flac": ("flac", "flac", "audio/flac"),
    }
    NAMES = tuple(_FORMATS)

    def __init__(self, name: str, sample_rate: int) -> None:
        container, codec, self.content_type = self._FORMATS[name]
        self._pipe = _Pipe()
        options = {"write_xing": "0"} if name == "mp3" else {}
        self._container = av.open(self._pipe, "w", format=container, options=options)
        stream = self._container.add_stream(codec, rate=sample_rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        self._stream = stream
        self._rate = sample_rate
        self._position = 0
        self._resampler = av.AudioResampler(format=stream.format, layout="mono", rate=sample_rate)

    def encode(self, samples: Samples) -> bytes:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[np.newaxis]), format="s16", layout="mono")
        frame.sample_rate = self._rate
        frame.pts = self._position
        self._position += len(samples)
        for converted in self._resampler.resample(frame):
            self._container.mux(self._stream.encode(converted))
        return self._pipe.take()

    def finish(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._pipe.take()


def encoder_for(name: str, sample_rate: int) -> Encoder:
    """`name`: pcm or linear16, wav, mulaw, alaw, mp3, opus, aac, flac. Raises ValueError for any other."""
    if name in ("pcm", "linear16", "wav"):
        return Linear16(sample_rate, wav=name == "wav")
    if name in ("mulaw", "alaw"):
        return Companded(name)
    if name in Compressed.NAMES:
        return Compressed(name, sample_rate)
    raise ValueError(f"{name}: not an encoding that is offered")


def decode_telephony(data: bytes, encoding: str) -> Samples:
    """int16[samples] of what a client sent as linear16, mulaw or alaw. Raises ValueError for another encoding."""
    if encoding == "linear16":
        return np.frombuffer(data, "<i2", len(data) // 2).astype(np.int16, copy=False)
    return _expanding_table(encoding)[np.frombuffer(data, np.uint8)]


def _expanding_table(encoding: str) -> Samples:
    """G.711's value of each code."""
    code = np.arange(256, dtype=np.int32)
    if encoding == "mulaw":
        code = ~code & 0xFF
        magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
        value = np.where(code & 0x80, -magnitude, magnitude)
    elif encoding == "alaw":
        code = code ^ 0x55
        segment = (code >> 4) & 7
        step = ((code & 0x0F) << 4) + 8
        magnitude = np.where(segment == 0, step, (step + 0x100) << np.maximum(segment - 1, 0))
        value = np.where(code & 0x80, magnitude, -magnitude)
    else:
        raise ValueError(f"{encoding}: not an encoding that is understood")
    return value.astype(np.int16)


def _companding_table(encoding: str) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """The code of each sample from -32768: the one whose value is nearest."""
    values = _expanding_table(encoding).astype(np.int32)
    order = np.argsort(values, kind="stable")
    middles = (values[order][1:] + values[order][:-1]) / 2
    return order[np.searchsorted(middles, np.arange(-32768, 32768))].astype(np.uint8)


def _wav_header(sample_rate: int) -> bytes:
    unknown = 0xFFFFFFFF
    form = struct.pack("<HHIIHH", 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    return b"RIFF" + struct.pack("<I", unknown) + b"WAVEfmt " + struct.pack("<I", 16) + form + b"data\xff\xff\xff\xff"
