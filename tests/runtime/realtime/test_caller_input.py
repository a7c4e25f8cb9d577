from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from livekit import rtc

from voiceworker.runtime.realtime.caller_input import (
    PRE_ROLL_SECONDS,
    STALE_SECONDS,
    TRAILING_SECONDS,
    UNDETECTED_SECONDS,
    CallerInput,
)

FRAME_SECONDS = 0.1


def frame(number: int) -> rtc.AudioFrame:
    return rtc.AudioFrame(bytes([number % 251, 0] * 1600), 16000, 1, 1600)


class Line:
    """Frames of 100 ms; the n-th of them ends at n / 10 s."""

    def __init__(self) -> None:
        self.input = CallerInput()
        self.frames: list[rtc.AudioFrame] = []
        self.sent: list[int] = []

    @property
    def now(self) -> float:
        return len(self.frames) * FRAME_SECONDS

    def passing(self, seconds: float) -> None:
        for _ in range(round(seconds / FRAME_SECONDS)):
            self.frames.append(frame(len(self.frames)))
            if self.input.push(self.frames[-1], self.now):
                self.sent.append(len(self.frames) - 1)

    def speak(self, seconds: float) -> bool:
        stale, ahead = self.input.voice_began(self.now)
        self.sent += self.numbers(ahead)
        self.passing(seconds)
        self.input.voice_stopped(self.now)
        return stale

    def numbers(self, frames: Sequence[rtc.AudioFrame]) -> list[int]:
        return [next(n for n, known in enumerate(self.frames) if known is one) for one in frames]


def test_a_turn_is_sent_with_what_was_before_it_and_a_while_after() -> None:
    line = Line()
    line.passing(5)
    line.speak(1)
    line.passing(5)
    seconds = PRE_ROLL_SECONDS + 1 + TRAILING_SECONDS
    assert abs(len(line.sent) * FRAME_SECONDS - seconds) <= 2 * FRAME_SECONDS
    assert line.sent == list(range(line.sent[0], line.sent[0] + len(line.sent)))


def test_a_turn_that_was_taken_is_whole_and_is_forgotten() -> None:
    line = Line()
    line.passing(2)
    line.speak(1)
    line.passing(0.5)
    missing, whole = line.input.take()
    assert missing == []
    assert line.numbers(whole) == line.sent
    assert line.input.turn == ()


def test_a_turn_without_a_detected_voice_is_what_was_heard_last() -> None:
    line = Line()
    line.passing(20)
    missing, whole = line.input.take()
    assert missing == whole
    assert abs(len(missing) * FRAME_SECONDS - UNDETECTED_SECONDS) <= FRAME_SECONDS


def test_a_voice_that_became_no_turn_is_forgotten_after_a_while() -> None:
    line = Line()
    line.speak(0.5)
    line.passing(STALE_SECONDS - 2)
    assert not line.speak(0.5)
    line.passing(STALE_SECONDS + 1)
    assert line.speak(0.5)


@given(st.lists(st.tuples(st.floats(0, 4), st.sampled_from(["silence", "voice", "take"])), max_size=12))
def test_no_frame_is_sent_twice_and_they_keep_their_order(story: list[tuple[float, str]]) -> None:
    line = Line()
    for seconds, what in story:
        if what == "silence":
            line.passing(seconds)
        elif what == "voice":
            line.speak(seconds)
        else:
            line.sent += line.numbers(line.input.take()[0])
    assert line.sent == sorted(set(line.sent))
