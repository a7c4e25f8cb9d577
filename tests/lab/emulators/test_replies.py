from __future__ import annotations

from typing import Any

import pytest

from voiceworker.lab.emulators.replies import Conversation, Reply, Sentences, ToolCall, scripted
from voiceworker.lab.emulators.tones import VOCABULARY, words_of


def conversation(*texts: str, tool: bool = False) -> Conversation:
    messages: list[dict[str, Any]] = [{"role": "user", "content": text} for text in texts]
    return Conversation("key", [*messages, {"role": "tool", "content": "42"}] if tool else messages)


def test_a_sentence_has_the_words_that_were_asked_for_and_none_twice() -> None:
    words = words_of(Sentences(40, seed=3)(conversation("hello")).text)
    assert len(words) == len(set(words)) == 40
    assert set(words) <= set(VOCABULARY)


def test_a_long_reply_repeats_no_word_at_once() -> None:
    words = words_of(Sentences(200)(conversation("hello")).text)
    assert len(words) == 200
    assert all(words[index] != words[index + 1] for index in range(199))


def test_a_turn_has_one_reply_however_often_it_is_asked_for() -> None:
    sentences = Sentences(seed=1)
    assert sentences(conversation("what is")) == sentences(conversation("what is the price"))
    assert sentences(conversation("a", "b")) != sentences(conversation("a"))
    assert Sentences(seed=2)(conversation("a")) != sentences(conversation("a"))


def test_sentences_end_where_they_should() -> None:
    text = Sentences(20, words_per_sentence=8).text(1)
    assert [len(sentence.split()) for sentence in text.split(". ")] == [8, 8, 4]
    assert text.endswith(".")


def test_a_long_sentence_begins_with_a_clause() -> None:
    clauses = [Sentences(8, seed=seed).text(1).split(", ") for seed in range(20)]
    assert {len(first.split()) for first, _ in clauses} == {4, 5, 6}
    assert "," not in Sentences(6).text(1)


def test_a_script_follows_the_caller_s_messages() -> None:
    call = Reply(tool_calls=(ToolCall("price_of"),))
    replies = scripted(["Amber.", call], then=lambda _: "River.")
    assert replies(Conversation("key", [])) == "Amber."
    assert replies(conversation("hello")) == "Amber."
    assert replies(conversation("hello", "what does it cost")) is call
    assert replies(conversation("hello", "what does it cost", tool=True)) == "River."
    assert replies(conversation("hello", "what does it cost", "bye")) == "River."


def test_a_reply_without_words_is_an_error() -> None:
    with pytest.raises(ValueError, match="word"):
        Sentences(0)
