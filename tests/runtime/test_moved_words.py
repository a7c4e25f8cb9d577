from __future__ import annotations

from livekit.agents import LanguageCode, stt
from livekit.agents.types import TimedString

from voiceworker.runtime.moved_words import moved


def transcript(start: float, end: float, *words: TimedString) -> stt.SpeechData:
    return stt.SpeechData(LanguageCode("en"), "hello there", start, end, 0.9, words=list(words) or None)


def test_a_transcript_and_its_words_are_moved() -> None:
    words = [TimedString("hello", start_time=1.0, end_time=1.4, confidence=0.8), TimedString("there", speaker_id="S1")]
    found = moved(transcript(1.0, 2.0, *words), lambda second: second + 10, lambda second: second + 11)
    assert (found.text, found.start_time, found.end_time, found.confidence) == ("hello there", 11.0, 13.0, 0.9)
    assert found.words is not None
    hello, there = found.words
    assert (str(hello), hello.start_time, hello.end_time, hello.confidence) == ("hello", 11.0, 12.4, 0.8)
    assert (str(there), there.speaker_id) == ("there", "S1")
    assert not isinstance(there.start_time, float)  # it told none


def test_a_transcript_without_times_stays_as_it_is() -> None:
    data = transcript(0.0, 0.0)
    assert moved(data, lambda second: second + 10, lambda second: second + 10) is data


def test_an_end_does_not_come_before_its_beginning() -> None:
    found = moved(transcript(1.0, 1.0), lambda _second: 5.0, lambda second: second)
    assert found.start_time == found.end_time == 5.0
