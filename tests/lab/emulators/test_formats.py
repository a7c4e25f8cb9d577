from __future__ import annotations

import numpy as np
import pytest

from voiceworker.lab.emulators.formats import decode_telephony, encoder_for
from voiceworker.lab.emulators.tones import decode, encode


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
def test_companding_is_undone_within_its_step(encoding: str) -> None:
    samples = np.arange(-32768, 32768).astype(np.int16)
    again = decode_telephony(encoder_for(encoding, 8000).encode(samples), encoding)
    difference = np.abs(again.astype(int) - np.clip(samples.astype(int), -32256, 32256))
    assert (difference <= np.maximum(np.abs(samples.astype(int)) / 16, 16)).all()


def test_the_codes_of_g711_are_the_standard_s() -> None:
    known = np.array([0, -1000, 1000, 32767, -32768], np.int16)
    assert decode_telephony(b"\xff\x7f\x80\x00", "mulaw").tolist() == [0, 0, 32124, -32124]
    assert decode_telephony(b"\xd5\x55\xaa\x2a", "alaw").tolist() == [8, -8, 32256, -32256]
    assert encoder_for("mulaw", 8000).encode(known)[1:3] == b"\x4e\xce"


def test_words_survive_a_telephone_line() -> None:
    data = encoder_for("mulaw", 8000).encode(encode("amber castle river", 8000))
    assert [word.text for word in decode(decode_telephony(data, "mulaw"), 8000)] == ["amber", "castle", "river"]


def test_wav_begins_with_its_header_once() -> None:
    encoder = encoder_for("wav", 24000)
    data = encoder.encode(np.zeros(10, np.int16)) + encoder.encode(np.zeros(10, np.int16))
    assert data[:4] == b"RIFF"
    assert data[24:28] == (24000).to_bytes(4, "little")
    assert len(data) == 44 + 40


def test_an_unknown_encoding_is_an_error() -> None:
    with pytest.raises(ValueError, match="vorbis"):
        encoder_for("vorbis", 24000)
    with pytest.raises(ValueError, match="opus"):
        decode_telephony(b"", "opus")
