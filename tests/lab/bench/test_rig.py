from pathlib import Path

from voiceworker.lab.bench.rig import LONG_WORDS, SHORT_WORDS, Replies
from voiceworker.lab.emulators.replies import Conversation
from voiceworker.lab.emulators.tones import words_of
from voiceworker.lab.speech import Speech, SpokenWord

WORDS = tuple(SpokenWord(word, place, place + 0.5) for place, word in enumerate(["tell", "me", "a", "story"]))
STORY = Speech("story", "turn", "slt", Path("none.wav"), WORDS, 4)


def reply(replies: Replies, *texts: str) -> list[str]:
    messages = [{"role": "user", "content": text} for text in texts]
    return words_of(replies(Conversation("ours", messages)).text)


def test_only_the_questions_that_ask_for_it_are_answered_at_length() -> None:
    replies = Replies(seed=1)
    assert len(reply(replies, "Tell me a story.")) == SHORT_WORDS
    replies.long_after([STORY])
    assert len(reply(replies, "Tell me a story.")) == LONG_WORDS
    assert len(reply(replies, "stop tell me a story")) == LONG_WORDS  # what was said before was not answered
    assert len(reply(replies, "tell me a story", "stop")) == SHORT_WORDS
    assert len(reply(replies)) == SHORT_WORDS


def test_a_request_ahead_of_its_time_begins_with_the_same_words() -> None:
    replies = Replies(seed=1)
    replies.long_after([STORY])
    assert reply(replies, "tell me a story")[:SHORT_WORDS] == reply(replies, "tell me a")
