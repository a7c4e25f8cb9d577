from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.continuation import Continuation, ends_a_sentence


def continued(said: str, text: str, size: int = 3) -> str:
    continuation = Continuation(said)
    pieces = [text[begin : begin + size] for begin in range(0, len(text), size)]
    return said + "".join(continuation.push(piece) for piece in pieces) + continuation.finish()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("We are open ", "until six today."),
        ("We are open", "until six today."),
        ("We are open", " until six today."),
        ("We are ", "We are open until six today."),  # begins anew
        ("We are open un", "We are open until six today."),
        ("We are open un", "until six today."),  # repeats the word that was cut
        ("We are open until", "open until six today."),  # repeats the last words
        ("We are open until six today.", "We are open until six today."),
        ("We are open until", "- We are open until six today."),
        ("WE are open", "we are open until six today."),
    ],
)
def test_nothing_is_said_twice(said: str, text: str) -> None:
    words = re.findall(r"\w+", continued(said, text).lower())
    assert words == ["we", "are", "open", "until", "six", "today"]


def test_the_sentence_that_was_begun_may_be_repeated() -> None:
    said = "Good morning. We can offer you Tuesday"
    assert continued(said, "We can offer you Tuesday at ten.") == said + " at ten."


def test_words_that_repeat_something_else_stay() -> None:
    assert continued("Yes, we are. ", "We close at six.") == "Yes, we are. We close at six."
    assert continued("It is five five ", "five one.") == "It is five five five one."
    assert continued("It is 1 2", "1 2 3.") == "It is 1 2 1 2 3."


def test_what_was_said_before_the_beginning_of_a_longer_repetition_counts() -> None:
    assert continued("no no ", "no no thanks") == "no no thanks"


def test_a_sentence_end_is_one_with_its_quotes() -> None:
    assert ends_a_sentence('He said "yes." ')
    assert not ends_a_sentence("We are open, ")
    assert not ends_a_sentence("")


words = st.lists(st.sampled_from(["amber", "anchor", "apple", "arrow", "beacon"]), unique=True, min_size=1)


@given(words, st.integers(0, 7), st.booleans(), st.integers(1, 9))
def test_a_model_that_goes_on_or_begins_anew_says_each_word_once(
    text: list[str], at: int, anew: bool, size: int
) -> None:
    at = min(at, len(text))
    said = " ".join(text[:at])
    following = " ".join(text if anew else text[at:])
    assert continued(said, following, size).split() == text


@given(st.text(max_size=40), st.text(max_size=40), st.integers(1, 9))
def test_nothing_new_is_lost(said: str, text: str, size: int) -> None:
    """All that is left out is a beginning of what was written."""
    out = continued(said, text, size)[len(said) :]
    assert out.strip() == "" or text.endswith((out.lstrip(" "), out))
