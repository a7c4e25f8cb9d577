import numpy as np

from voiceworker.lab.audio import SpeechDetector
from voiceworker.lab.conversation import Conversation, Turn, Utterance

LOUD_FRAME = np.full(240, 5000, np.int16)


def conversation(*agent_speaks_at: float) -> Conversation:
    """One in which the agent is heard from each given moment for half a second."""
    detector = SpeechDetector()
    for moment in agent_speaks_at:
        for index in range(50):
            detector.hear(LOUD_FRAME, moment + (index + 1) / 100)
    return Conversation(detector)


def test_an_answer_belongs_to_the_utterance_it_began_after() -> None:
    talk = conversation(1.0, 5.8, 9.9)
    talk.segment("a", of_caller=False, now=1.0).text = "Hello."
    talk.utterances.append(Utterance(4.0, 5.0))
    talk.segment("b", of_caller=True, now=4.5).text = "what time"
    talk.segment("b", of_caller=True, now=5.2).text = "what time is it"
    talk.segment("c", of_caller=False, now=5.8).text = "It is nine. "
    talk.segment("d", of_caller=False, now=6.5).text = "Anything else?"
    talk.utterances.append(Utterance(8.0, 9.0))
    talk.segment("e", of_caller=False, now=9.9).text = "Goodbye."
    assert talk.greeting == "Hello."
    assert talk.turns() == [
        Turn("what time is it", "It is nine. Anything else?", 800, False),
        Turn("", "Goodbye.", 900, False),
    ]


def test_an_interruption_marks_the_sentence_that_was_cut() -> None:
    talk = conversation(2.0, 9.0)
    talk.utterances.append(Utterance(0.0, 1.0))
    talk.segment("a", of_caller=False, now=2.0).text = "We open at"
    talk.utterances.append(Utterance(4.0, 5.0))
    talk.segment("b", of_caller=False, now=9.0).text = "Of course."
    talk.interrupted("We open at ")
    assert [turn.interrupted for turn in talk.turns()] == [True, False]
    talk.interrupted("something else")
    assert [turn.interrupted for turn in talk.turns()] == [True, True]


def test_an_agent_that_goes_on_speaking_has_answered_without_a_first_audio() -> None:
    talk = conversation(1.0)
    talk.utterances.append(Utterance(1.1, 1.2))
    assert talk.was_answered(talk.utterances[0])
    assert talk.turns()[0].first_audio_ms is None


def test_silence_is_no_answer() -> None:
    talk = conversation(1.0)
    talk.utterances += [Utterance(2.0, 3.0), Utterance(4.0)]
    assert not talk.was_answered(talk.utterances[0])
    assert not talk.was_answered(talk.utterances[1])
    assert talk.turns() == [Turn("", "", None, False), Turn("", "", None, False)]
    talk.interrupted("before anything was said")
