"""May a reply be prepared before the caller's turn is over? Decides on which words, and how much it may waste; pure.

A reply prepared on words that turn out to be all of the turn saves its whole preparation; on other words it is thrown
away, and paid. What happens is told by the methods, each with `now` in seconds of any monotonic clock; what may be
done comes out of `due(now)`, and `deadline()` says when to ask again. Nothing prepared is heard and no tool runs
before the turn is committed: that is the driver's and the framework's part.

The budget: a new attempt starts only while what was thrown away so far is within its share of what was used. So the
waste of a whole call is at most that share, plus two attempts (one that is being thrown away, one that starts).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import Enum


class Completeness(Enum):
    """How a text looks that may go on."""

    COMPLETE = "a whole sentence or answer"
    NEUTRAL = "could be either"
    UNFINISHED = "more has to come: and, the, a half number"


class Price(Enum):
    FREE = "costs nothing: no budget, only attempts are limited"
    METERED = "paid by the token or character: within the budget"
    FORBIDDEN = "never ahead of the turn"


@dataclass(frozen=True, slots=True)
class SpeculationSettings:
    llm_price: Price = Price.METERED
    tts_price: Price = Price.METERED
    stability_seconds: float = 0.15
    "in silence, a text that has not changed for so long is stable"
    speaking_stability_seconds: float = 0.35
    "while the voice goes on, or nobody tells: longer than the time between two interim transcripts"
    silence_seconds: float = 0.1
    "the voice is taken to have stopped after so much silence; gaps within words are shorter"
    recognition_seconds: float = 0.1
    "how far transcripts lag behind the sound: what comes later than this after the voice holds all that was said"
    shortest_word_seconds: float = 0.1
    "a voice that went on longer than this after the last transcript has said more than is in it"
    unfinished_silence_seconds: float = 0.8
    "after so much silence a text that looks unfinished may be all there is"
    attempts_per_turn: int = 3
    wasted_tokens_share: float = 0.15
    "LLM tokens thrown away, as a share of those used"
    wasted_characters_share: float = 0.05
    "TTS characters thrown away, as a share of those used"
    largest_prompt_tokens: int = 20_000
    "a request larger than this is never made ahead: one attempt is the price of the first mistake"


@dataclass(frozen=True, slots=True)
class Speculate:
    """Ask the LLM for the reply to `text`."""

    attempt: int
    "1, 2, 3 ... within a call"
    text: str
    "of the running segment, as it was recognised"


@dataclass(frozen=True, slots=True)
class SynthesizeAhead:
    """The first clause of this attempt's reply may go to the TTS."""

    attempt: int


Command = Speculate | SynthesizeAhead

_LOWEST_BAR, _FIRST_BAR, _HIGHEST_BAR = 0.5, 0.6, 0.9
_RAISE, _LOWER = 0.1, 0.04
"about what 15 % of mistakes keep in balance"
_VOICE_BAR = 0.2
"how much surer one has to be for the TTS, whose budget is a third"
_FREE_BAR = 0.35

_FINAL, _SETTLED, _STABLE_QUIET, _STABLE_SPEAKING, _FINAL_SPEAKING = 0.85, 0.85, 0.7, 0.45, 0.3
_LOOKS_COMPLETE = 0.15


@dataclass(slots=True)
class _Words:
    text: str
    completeness: Completeness
    since: float
    "when it took this form"
    heard: float
    "when it was last confirmed"
    final: bool
    tried: bool = False
    "an attempt on them has ended"


@dataclass(slots=True)
class _Attempt:
    number: int
    text: str
    aloud: bool = False


class Speculation:
    def __init__(self, settings: SpeculationSettings) -> None:
        self._settings = settings
        self._words: _Words | None = None
        self._attempt: _Attempt | None = None
        "the one whose words still stand"
        self._unresolved: dict[int, int] = {}
        "attempts whose outcome is not told yet, with the tokens they are expected to cost"
        self._attempts = 0
        self._attempts_of_turn = 0
        self._speaking = False
        self._silent_since: float | None = None
        self._asked_at = float("-inf")
        self._bar = _FIRST_BAR
        self._prompt_tokens = 0
        self._useful_tokens = self._wasted_tokens = 0
        self._useful_characters = self._wasted_characters = 0

    # --- what happens ---

    def interim(self, text: str, completeness: Completeness, now: float) -> None:
        """The running segment is recognised as `text`; it may change."""
        self._recognised(text, completeness, now, final=False)

    def final(self, text: str, completeness: Completeness, now: float) -> None:
        """The segment is `text` for good; the turn may have more."""
        self._recognised(text, completeness, now, final=True)

    def voice(self, now: float, *, speaking: bool) -> None:
        """The voice detector's raw verdict: a voice is heard, or silence has begun at `now`."""
        if speaking != self._speaking or (not speaking and self._silent_since is None):
            self._speaking = speaking
            self._silent_since = None if speaking else now

    def turn_ended(self) -> None:
        """The turn was committed or dropped: the next words belong to another."""
        self._words = self._attempt = None
        self._attempts_of_turn = 0

    def asked(self, prompt_tokens: int) -> None:
        """The LLM was asked, by whomever: what its next request will cost at least."""
        self._prompt_tokens = prompt_tokens

    def used(self, tokens: int, characters: int) -> None:
        """A reply that was the caller's, prepared ahead or not, cost so much."""
        self._useful_tokens += tokens
        self._useful_characters += characters

    def reused(self, attempt: int) -> None:
        """The attempt became the reply; what it costs is told by `used`."""
        if attempt in self._unresolved:
            self._resolve(attempt)
            self._bar = max(_LOWEST_BAR, self._bar - _LOWER)

    def discarded(self, attempt: int, tokens: int, characters: int) -> None:
        """The attempt was thrown away after it had cost so much."""
        self._resolve(attempt)
        self._wasted_tokens += tokens
        self._wasted_characters += characters
        if tokens or characters:
            self._bar = min(_HIGHEST_BAR, self._bar + _RAISE)

    # --- what may be done ---

    def due(self, now: float) -> list[Command]:
        """What may be done now; each command is given once."""
        self._asked_at = now
        if self._words is None or self._settings.llm_price is Price.FORBIDDEN:
            return []
        confidence = self._confidence(now)
        commands: list[Command] = []
        if self._attempt is None and not self._words.tried and self._may_ask(confidence):
            self._attempts += 1
            self._attempts_of_turn += 1
            self._attempt = _Attempt(self._attempts, self._words.text)
            self._unresolved[self._attempts] = self._prompt_tokens
            commands.append(Speculate(self._attempts, self._words.text))
        if self._attempt is not None and not self._attempt.aloud and self._may_synthesize(confidence):
            self._attempt.aloud = True
            commands.append(SynthesizeAhead(self._attempt.number))
        return commands

    def deadline(self) -> float | None:
        """When `due` has to be asked next; None when only an event can change anything."""
        attempt, words, settings = self._attempt, self._words, self._settings
        if words is None or settings.llm_price is Price.FORBIDDEN or (attempt is not None and attempt.aloud):
            return None
        turns = [words.since + settings.stability_seconds, words.since + settings.speaking_stability_seconds]
        if self._silent_since is not None:
            turns.append(self._silent_since + settings.silence_seconds)
            turns.append(self._silent_since + settings.unfinished_silence_seconds)
        return min((turn for turn in turns if turn > self._asked_at), default=None)

    def settle(self, final_text: str) -> str:
        """The text to go on with when the segment has become final: the attempt's own, where both say the same."""
        if self._attempt is not None and says_the_same(self._attempt.text, final_text):
            return self._attempt.text
        return final_text

    # --- how sure ---

    def _confidence(self, now: float) -> float:
        """Roughly the chance that the words are all of the turn."""
        words, settings = self._words, self._settings
        assert words is not None
        silent_since = self._silent_since
        quiet = silent_since is not None and now >= silent_since + settings.silence_seconds
        silent_for_long = silent_since is not None and now >= silent_since + settings.unfinished_silence_seconds
        if words.completeness is Completeness.UNFINISHED and not silent_for_long:
            return 0.0
        bonus = _LOOKS_COMPLETE if words.completeness is Completeness.COMPLETE else 0.0
        if words.final:
            return bonus + (_FINAL_SPEAKING if self._speaking else _FINAL)
        if quiet and silent_since is not None and words.heard >= silent_since + settings.recognition_seconds:
            return bonus + _SETTLED
        all_heard = silent_since is not None and words.heard >= silent_since - settings.shortest_word_seconds
        if quiet and all_heard and now >= words.since + settings.stability_seconds:
            return bonus + _STABLE_QUIET
        return bonus + _STABLE_SPEAKING if now >= words.since + settings.speaking_stability_seconds else 0.0

    def _may_ask(self, confidence: float) -> bool:
        settings = self._settings
        if self._attempts_of_turn >= settings.attempts_per_turn or len(self._unresolved) > 1:
            return False
        if settings.llm_price is Price.FREE:
            return confidence >= _FREE_BAR
        expected = self._wasted_tokens + sum(self._unresolved.values())
        within = expected <= settings.wasted_tokens_share * self._useful_tokens
        return within and confidence >= self._bar and self._prompt_tokens <= settings.largest_prompt_tokens

    def _may_synthesize(self, confidence: float) -> bool:
        settings = self._settings
        if settings.tts_price is Price.FREE:
            return confidence >= _FREE_BAR
        if settings.tts_price is Price.FORBIDDEN or self._speaking:
            return False
        within = self._wasted_characters <= settings.wasted_characters_share * self._useful_characters
        return within and confidence >= self._bar + _VOICE_BAR

    # --- what is known ---

    def _recognised(self, text: str, completeness: Completeness, now: float, *, final: bool) -> None:
        if not normalized(text):
            return
        before = self._words
        if before is not None and not before.final and says_the_same(before.text, text):
            before.text, before.completeness, before.heard, before.final = text, completeness, now, final
            return
        self._words = _Words(text, completeness, now, now, final)
        if self._attempt is not None and (
            (before is not None and before.final) or not says_the_same(self._attempt.text, text)
        ):
            self._attempt = None

    def _resolve(self, attempt: int) -> None:
        self._unresolved.pop(attempt, None)
        if self._attempt is not None and self._attempt.number == attempt:
            self._attempt = None
            if self._words is not None:
                self._words.tried = True


# --- the same words ---

_OPENING = "¿¡\"“”„«»"  # fmt: skip
_CLOSING = '.,;:!?…"“”«»。，、；：！？،؛؟।॥'
_QUESTION_MARKS = "?？؟"
_STATEMENT_MARKS = ".!。！।॥"
_PAUSES = ("—", "…", "...")


def normalized(text: str) -> tuple[str, ...]:
    """The words without what recognisers add or take away as they please: case and the marks around words.

    Everything else may change the meaning and is kept: signs of numbers and currencies, points and colons within
    numbers, apostrophes and hyphens, ß and accents, the point of an ordinal within a sentence.
    """
    words = unicodedata.normalize("NFC", text).lower().replace("’", "'").split()
    return tuple(
        bare
        for place, word in enumerate(words, 1)
        if word not in _PAUSES and (bare := _bare(word, place == len(words)))
    )


def _bare(word: str, last: bool) -> str:
    word = word.lstrip(_OPENING)
    bare = word.rstrip(_CLOSING)
    ordinal = not last and bare[-1:].isdigit() and word == bare + "."
    return word if ordinal else bare


def says_the_same(first: str, second: str) -> bool:
    """Whether two texts are the same words. A statement is no question, but an unmarked text may be either."""
    words = normalized(first)
    if not words or words != normalized(second):
        return False
    return {_mood(first), _mood(second)} != {"question", "statement"}


def _mood(text: str) -> str:
    mark = text.rstrip().rstrip('"”»')[-1:]
    if mark and mark in _QUESTION_MARKS:
        return "question"
    return "statement" if mark and mark in _STATEMENT_MARKS else ""
