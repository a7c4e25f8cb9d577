"""Words whose times are told by another clock, or counted from another beginning: a recogniser's and a voice's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from livekit import rtc
from livekit.agents import stt
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString

Clock = Callable[[float], float]
"a second of the recogniser's time -> of the other"


def moved(data: stt.SpeechData, began: Clock, ended: Clock) -> stt.SpeechData:
    """The same words at other times; one that tells no times is left as it is."""
    if data.end_time <= 0:
        return data
    start = began(data.start_time)
    words = None if data.words is None else [_moved_word(word, began, ended) for word in data.words]
    return replace(data, start_time=start, end_time=max(start, ended(data.end_time)), words=words)


def moved_by(word: TimedString, seconds: float) -> TimedString:
    """The same word so much later, or earlier down to 0."""

    def moment(second: float) -> float:
        return max(0.0, second + seconds)

    return _moved_word(word, moment, moment)


def move_words(frame: rtc.AudioFrame, seconds: float) -> None:
    """Those that a voice has dated in the frame's userdata, so much later, or earlier down to 0."""
    words = frame.userdata.get(USERDATA_TIMED_TRANSCRIPT)
    if words and seconds:
        frame.userdata[USERDATA_TIMED_TRANSCRIPT] = [
            moved_by(word, seconds) if isinstance(word, TimedString) else word for word in words
        ]


def _moved_word(word: TimedString, began: Clock, ended: Clock) -> TimedString:
    start, end = word.start_time, word.end_time
    return TimedString(
        str(word),
        start_time=began(start) if isinstance(start, float | int) else start,
        end_time=ended(end) if isinstance(end, float | int) else end,
        confidence=word.confidence,
        start_time_offset=word.start_time_offset,
        speaker_id=word.speaker_id,
    )
