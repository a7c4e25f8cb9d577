import numpy as np
import pytest

from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.bench.heard import (
    HeardText,
    alternates,
    heard_text,
    is_whole,
    remembered_wrongly,
    stale_words,
    told_of,
)
from voiceworker.lab.emulators.tones import encode

REPLY = ["amber", "anchor", "apple", "arrow", "autumn", "basket", "beacon", "berry"]


def test_words_are_read_from_sound_and_the_cut_one_is_known() -> None:
    sound = encode("amber anchor apple arrow")
    assert heard_text(sound) == HeardText(("amber", "anchor", "apple", "arrow"), last_is_part=False)
    cut = heard_text(sound[: round(0.85 * SAMPLE_RATE)])
    assert (cut.words, cut.last_is_part) == (("amber", "anchor", "apple", "arrow"), True)
    assert heard_text(np.zeros(SAMPLE_RATE, np.int16)) == HeardText((), last_is_part=False)


@pytest.mark.parametrize(
    ("told", "heard", "part", "error"),
    [
        (3, 3, False, 0),
        (5, 3, False, 2),
        (1, 3, False, 2),
        (2, 3, True, 0),
        (3, 3, True, 0),
        (8, 3, True, 5),
    ],
)
def test_what_the_model_believes_is_held_against_what_was_heard(told: int, heard: int, part: bool, error: int) -> None:
    assert remembered_wrongly(REPLY[:told], HeardText(tuple(REPLY[:heard]), part)) == error


def test_what_was_told_stands_before_the_callers_last_message() -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "assistant", "content": "Amber anchor."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [{"type": "text", "text": "Apple arrow"}]},
        {"role": "user", "content": "stop"},
    ]
    assert told_of(messages) == ["apple", "arrow"]
    assert alternates(messages)
    assert told_of(messages[:1]) == []
    assert not alternates([*messages, {"role": "user", "content": "again"}])


def test_a_word_of_the_old_reply_after_the_silence_is_stale() -> None:
    assert stale_words(HeardText(("amber", "anchor"), False), ["amber", "anchor", "apple"]) == []
    assert stale_words(HeardText(("berry", "amber", "anchor"), False), ["amber", "anchor"]) == ["berry"]
    assert stale_words(HeardText((), False), ["amber"]) == []


@pytest.mark.parametrize(
    ("heard", "whole"),
    [
        (REPLY, True),
        (REPLY[2:6], True),
        (["berry", *REPLY[2:6]], True),  # the edge cut through a word, which then reads as another
        (REPLY[:3] + REPLY[4:], False),
        (REPLY[:3] + REPLY[2:], False),
        ([], True),
    ],
)
def test_a_reply_is_whole_when_no_word_is_lost_or_doubled(heard: list[str], whole: bool) -> None:
    assert is_whole(HeardText(tuple(heard), False), REPLY) == whole
