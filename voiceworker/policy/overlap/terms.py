"""What the overlap of two voices is spoken of in: policies, situations, settings, commands and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Policy = Literal["duck_then_cut", "cut", "duck", "ignore"]
"""duck_then_cut: lower the voice, then stop for words and go on after anything else.
cut: stop at any voice.
duck: lower the voice and finish the sentence, "stop" alone cuts; what was said is released when the agent has ended.
ignore: go on as if nothing were heard; what was said is released when the agent has ended."""

Situation = Literal["ordinary", "greeting", "reading_back", "tool_running", "important"]
Kind = Literal["backchannel", "stop", "speech", "nothing"]
Aside = Literal["no", "perhaps", "surely"]
RestoreReason = Literal["backchannel", "wordless", "noise", "aside", "echo", "held", "situation", "agent_stopped"]
"""wordless: the voice ended and no word came. noise: sound without words for longer than a duck may last. held: words
that wait for the end of the speech. situation: the agent has come to a sentence that takes no notice of the caller."""
CutReason = Literal["stop", "speech", "answer", "voice"]
VerdictReason = Literal[
    "agent_silent", "cut", "stop", "speech", "answer", "backchannel", "nothing", "undecided", "aside", "echo", "held"
]


class Words(Protocol):
    """What the caller's language tells about a text; `backchannels.Backchannels` is one."""

    def kind(self, text: str) -> Kind: ...

    def count(self, text: str) -> int:
        """How many words these are, more or less."""
        ...

    def answers(self, text: str) -> bool:
        """A listener's word that would answer a yes/no question, too: "yes", "okay", "mm-hmm", but not "I see"."""
        ...

    def may_become(self, text: str) -> Literal["backchannel", "aside"] | None:
        """What this unfinished text may turn out to be besides speech: "ye" a backchannel, "put it" an aside."""
        ...

    def aside(self, text: str) -> Aside:
        """Whether these words are said to somebody else in the room."""
        ...

    def greets(self, text: str) -> bool:
        """Whether it is a greeting and no more than that."""
        ...

    def addressed(self, text: str) -> bool:
        """Whether it begins like something that is meant for the agent."""
        ...

    def asks(self, heard: str, upcoming: str) -> bool:
        """Whether the agent's present sentence, or the one just ended, asks what a listener's word would answer."""
        ...

    def repeats(self, text: str, said: str) -> bool:
        """Whether the text is made of what the agent has said."""
        ...


@dataclass(frozen=True, slots=True)
class OverlapSettings:
    policy: Policy = "duck_then_cut"
    situations: Mapping[Situation, Policy] = field(default_factory=dict)
    "another policy while the agent is in this situation; an important sentence ignores the caller unless it says so"
    interims: bool = True
    "whether the speech recogniser tells words while they are being spoken"
    decide_seconds: float = 0.45
    """an interim text that may still become a listener's word waits this long for the next text to decide: interims
    come every 0.2 s, the slow recognisers' every 0.4 s"""
    undecided_seconds: float = 0.75
    "but no longer than this after the first of them, which is two words' time"
    aside_undecided_seconds: float = 1.25
    "the same for the beginning of a remark to somebody else, which is five words' time"
    restore_seconds: float = 0.25
    """from the true end of a voice to the restore without words: what the voice detector needs to be sure of the end.
    A final that comes later still cuts"""
    final_seconds: float = 0.3
    "from the true end of a voice to its final: 0.2 s, plus transit; an undecided interim waits for it"
    longest_duck_seconds: float = 2.5
    "sound without words lowers the voice no longer: then it is noise"
    quiet_seconds: float = 1.0
    "silence after such noise before a sound ducks again; inside speech people pause for less"
    voiced_cut_seconds: float = 1.6
    """without interims a voice of this length cuts: "yeah, okay, right" lasts 1.5 s, and a caller who is not given
    the turn within 2 s feels ignored. With interims no sound without words cuts: speech has words by then"""
    late_text_seconds: float = 1.5
    "a text belongs to a voice that ended at most this long ago: the slow recognisers' 99 % time to final"
    answer_seconds: float = 1.5
    "a question can be answered this long after it was asked, when the agent talks on"
    answer_grace_seconds: float = 0.2
    "a question counts for a voice that began this little before it was recognised as one: heard text lags by a word"
    closing_seconds: float = 0.25
    """a listener's answering word that began in the last moment of the agent's speech is a turn ("at three." - "okay"):
    listeners begin a median of 0.15 s before the end"""
    aside_words: int = 8
    "longest remark to somebody else, however it is divided; 0 lets every such remark cut"
    soft_words: int = 3
    "fewest words that are taken for an aside for their softness: how loud fewer are is badly known"
    short_words_db: float = 3.0
    "two words, which may be an answer, have to be so much softer still; one word is never an aside for its softness"
    soft_margin_db: float = 1.5
    "words that are nearly as soft as an aside wait as well: a voice's first syllable is its loudest"
    aside_level_db: float = -5.0
    """words that are this much softer than the caller's usual level and do not begin like a request are for somebody
    else: who wants the floor speaks up. -100 leaves it to the words"""


@dataclass(frozen=True, slots=True)
class Duck:
    """Lower the agent's voice, now."""


@dataclass(frozen=True, slots=True)
class Restore:
    """Raise the agent's voice again."""

    reason: RestoreReason


@dataclass(frozen=True, slots=True)
class Cut:
    """Stop the agent's speech."""

    reason: CutReason


@dataclass(frozen=True, slots=True)
class Release:
    """Pass these final texts on now: they were withheld, and turned out to be part of a turn."""

    texts: tuple[str, ...]


Command = Duck | Restore | Cut | Release


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a transcript."""

    pass_on: bool
    "to the framework; otherwise it is withheld, and comes back in a `Release` if it has to be heard after all"
    reason: VerdictReason
