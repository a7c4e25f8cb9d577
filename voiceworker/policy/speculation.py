"""May a reply be prepared before the caller's turn is over? Decides on which words, and how much it may waste; pure.

A reply prepared on words that turn out to be all of the turn saves its whole preparation; on other words it is thrown
away, and paid. What happens is told by the methods, each with `now` in seconds of any monotonic clock; what may be
done comes out of `due(now)`, and `deadline()` says when to ask again. Nothing prepared is heard and no tool runs
before the turn is committed: that is the driver's and the framework's part.

The budget: a new attempt starts only while its prompt and all that was thrown away so far are within a share of what
was used and an allowance. So the waste of a call is at most that share, the allowance and what answers were begun.
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
    speaking_stability_seconds: float = 0.5
    "where nobody tells whether there is a voice: longer than a long word and the time to the next interim transcript"
    silence_seconds: float = 0.16
    "after so much the voice has stopped: within 80 recorded sentences 36 silences last 0.1 s, 4 0.14 s, 2 0.16 s"
    recognition_seconds: float = 0.1
    "how far transcripts lag behind the sound: what comes later than this after the voice holds all that was said"
    shortest_word_seconds: float = 0.1
    "a voice that went on longer than this after the last transcript has said more than is in it"
    silence_for_doubt_seconds: float = 2.0
    "so much longer a silence is asked for what evidence lacks to certainty: 0.2 s for each tenth"
    attempts_per_turn: int = 3
    wasted_tokens_share: float = 0.07
    "LLM tokens thrown away, as a share of those used: with the allowance, under 0.15 of 25 turns of one size"
    allowance_requests: float = 2.0
    "so many requests of the present size may be lost besides: the first mistakes come before much was used"
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

_LOWEST_BAR, _FIRST_BAR, _HIGHEST_BAR = 0.5, 0.6, 1.1
_RAISE, _LOWER = 0.1, 0.04
"about what keeps 25 % of mistakes in balance: the budget does the rest"
_VOICE_BAR = 0.2
"how much surer one has to be for the TTS, whose budget is a third"
_FREE_BAR = 0.35

_FINAL, _SETTLED, _STABLE_QUIET, _STABLE, _FINAL_SPEAKING, _INTERIM_SPEAKING = 0.85, 0.85, 0.7, 0.45, 0.45, 0.0
"how often such words are all of a turn, by judgement: the bar learns how far it is right"
_LOOKS = {Completeness.COMPLETE: 0.15, Completeness.NEUTRAL: 0.0, Completeness.UNFINISHED: -0.6}
_ROUNDING = 1e-9


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
        if not self._attempts_of_turn:
            self._bar = max(_FIRST_BAR, self._bar - _LOWER)  # else a bar that is never reached would stand for ever
        self._words = self._attempt = None
        self._attempts_of_turn = 0
        self._silent_since = None  # of the next turn's words it says nothing: they may come before their voice is heard

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
        commands: list[Command] = []
        if self._words is not None and _reached(self._ask_at(), now):
            self._attempts += 1
            self._attempts_of_turn += 1
            self._attempt = _Attempt(self._attempts, self._words.text)
            self._unresolved[self._attempts] = self._prompt_tokens
            commands.append(Speculate(self._attempts, self._words.text))
        if self._attempt is not None and _reached(self._synthesize_at(), now):
            self._attempt.aloud = True
            commands.append(SynthesizeAhead(self._attempt.number))
        return commands

    def deadline(self) -> float | None:
        """When `due` has to be asked next; None when only an event can change anything."""
        at = self._ask_at() if self._attempt is None else self._synthesize_at()
        return at if at is not None and at > self._asked_at else None

    def settle(self, final_text: str) -> str:
        """The text to go on with when the segment has become final: the attempt's own, where both say the same."""
        if self._attempt is not None and says_the_same(self._attempt.text, final_text):
            return self._attempt.text
        return final_text

    # --- when it may be done, if nothing happens until then ---

    def _ask_at(self) -> float | None:
        settings = self._settings
        if self._attempt is not None or settings.llm_price is Price.FORBIDDEN:
            return None
        if self._attempts_of_turn >= settings.attempts_per_turn or len(self._unresolved) > 1:
            return None
        if settings.llm_price is Price.FREE:
            return self._sure_at(_FREE_BAR)
        if self._prompt_tokens > settings.largest_prompt_tokens or not self._is_within_budget():
            return None
        return self._sure_at(self._bar)

    def _is_within_budget(self) -> bool:
        settings = self._settings
        at_risk = self._wasted_tokens + sum(self._unresolved.values()) + self._prompt_tokens
        allowance = settings.allowance_requests * self._prompt_tokens
        return at_risk <= settings.wasted_tokens_share * self._useful_tokens + allowance

    def _synthesize_at(self) -> float | None:
        settings = self._settings
        if self._attempt is None or self._attempt.aloud:
            return None
        if settings.tts_price is Price.FREE:
            return self._sure_at(_FREE_BAR)
        if settings.tts_price is Price.FORBIDDEN or self._speaking:
            return None
        within = self._wasted_characters <= settings.wasted_characters_share * self._useful_characters
        return self._sure_at(self._bar + _VOICE_BAR) if within else None

    def _sure_at(self, bar: float) -> float | None:
        """When the words may be taken for all of the turn. What the evidence lacks to the bar, silence makes up for."""
        words, settings, silent_since = self._words, self._settings, self._silent_since
        if words is None or words.tried:
            return None
        confidence, at = self._evidence(words)
        doubt = bar - confidence - _LOOKS[words.completeness]
        if doubt <= _ROUNDING:
            return at
        if silent_since is None:
            return None
        return max(at, silent_since + settings.silence_seconds + doubt * settings.silence_for_doubt_seconds)

    def _evidence(self, words: _Words) -> tuple[float, float]:
        """Roughly the chance that the words are all of the turn, and when one can say so."""
        settings, silent_since = self._settings, self._silent_since
        if silent_since is None:
            if words.final:
                return _FINAL_SPEAKING if self._speaking else _FINAL, words.heard
            confidence = _INTERIM_SPEAKING if self._speaking else _STABLE
            return confidence, words.since + settings.speaking_stability_seconds
        quiet_at = silent_since + settings.silence_seconds
        if words.final:
            return _FINAL, words.heard
        if words.heard >= silent_since + settings.recognition_seconds:
            return _SETTLED, max(words.heard, quiet_at)
        if words.heard >= silent_since - settings.shortest_word_seconds:
            return _STABLE_QUIET, max(words.since + settings.stability_seconds, quiet_at)
        return _STABLE, max(words.since, silent_since) + settings.speaking_stability_seconds

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


def _reached(at: float | None, now: float) -> bool:
    return at is not None and now >= at


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
