"""Has the caller finished? Decides when his turn is taken; pure.

The framework asks its turn model once, 0.2 s into a silence, and a wrong "unlikely" costs the whole longest delay.
Here the question stays open while the silence grows: what was said sets how long a silence may be taken for a pause
(nobody stops at "my number is", and little follows a goodbye), and the model's verdict, asked again now and then,
shortens the wait within these bounds. In other words: the likelihood that is needed falls with the silence, from
`sure_likelihood` at the soonest moment to the model's own threshold, and to nothing at the latest.

What happens is told by the methods, each with `now` in seconds of any monotonic clock; what is to be done comes out
of `due(now)`, and `deadline()` says when to ask again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import exp, inf
from typing import Literal

Completeness = Literal["closed", "complete", "neutral", "dictating", "unfinished"]
"""How a text looks to `policy/utterances.py`, which explains them."""


@dataclass(frozen=True, slots=True)
class Patience:
    soonest_seconds: float
    "silence before the turn is taken when the model is sure of its end"
    latest_seconds: float
    "silence before the turn is taken whatever the model says"

    def paced(self, pace: float) -> Patience:
        return Patience(self.soonest_seconds * pace, self.latest_seconds * pace)


@dataclass(frozen=True, slots=True)
class EndOfTurnSettings:
    """Silences count from the voice detector's last speech, which is told 0.02 to 0.1 s after the true end.

    The numbers were chosen on the recorded turns of tests/audio/turns with lab/turn_simulation.py: as few turns taken
    inside a speech as the framework's own rule takes, at the least delay.
    """

    closed: Patience = Patience(0.2, 0.3)
    "people leave 0.2 s between turns (Stivers 2009); nothing is to be expected any more"
    complete: Patience = Patience(0.25, 0.8)
    "a whole sentence: the only question is whether another one follows"
    complete_odds: float = 2.0
    "so many times likelier than by its sound alone is the end of a turn after a whole sentence"
    neutral: Patience = Patience(0.25, 0.8)
    "pauses inside a sentence rarely last longer, at a place where it could have ended"
    grouped: Patience = Patience(0.45, 0.8)
    "neutral, of digits or letters that may be all: see `rhythm_seconds`"
    dictating: Patience = Patience(1.0, 1.6)
    "the next group of digits or letters comes after 1 to 1.5 s; the voice falls at the end of every group"
    unfinished: Patience = Patience(1.2, 2.0)
    "the words outweigh the model; but a caller who does not go on must not wait for ever"
    sure_likelihood: float = 0.75
    "from which the soonest moment is good enough; at 0.5, the model's own threshold, and below it changes nothing"
    ask_after_seconds: tuple[float, ...] = (0.2, 0.4, 0.6)
    "silences at which the model is asked: it hears 1.2 s, so that later there is too little speech left to judge"
    rhythm_seconds: float = 0.15
    "who dictates in groups leaves like pauses between them: so much more than the longest one is waited out"
    handover_seconds: float = 0.01
    "a final transcript reaches the framework a few turns of its loop after us; taken before, the turn would lack it"
    words_seconds: float = 1.5
    "how long the final form of words that were heard is waited for, beyond their last change"
    sound_seconds: float = 1.0
    "silence that words of the last sound are waited for when none of it has been recognised yet: it may be a cough"
    shortest_sound_seconds: float = 0.15
    "a sound shorter than this is no word"
    first_words_seconds: float = 0.2
    "words that come sooner after a sound began are those of the sound before it"

    hold_seconds: float = 0.12
    "after a sound in the silence: so long a voice detector needs to tell whether it is a voice"
    longest_hold_seconds: float = 0.3
    "of one noise: had it been a voice, its detector would have said so"

    def paced(self, pace: float) -> EndOfTurnSettings:
        """The same with every bound `pace` times as long: below 1 is more eager, above it more patient."""
        return replace(
            self,
            closed=self.closed.paced(pace),
            complete=self.complete.paced(pace),
            neutral=self.neutral.paced(pace),
            grouped=self.grouped.paced(pace),
            dictating=self.dictating.paced(pace),
            unfinished=self.unfinished.paced(pace),
        )

    def without_interims(self) -> EndOfTurnSettings:
        """For a recogniser that hears a stretch of speech as a whole, after its end: what it says while the caller is
        speaking again is never about that, and it takes its time."""
        return replace(self, first_words_seconds=inf, sound_seconds=2.5)


@dataclass(frozen=True, slots=True)
class Words:
    """What the caller has said in this turn, as far as it is recognised."""

    completeness: Completeness
    reason: str
    final: bool
    "nothing of it may still change"
    any_final: bool = True
    "some of it is final: without, there is no turn that could be taken"
    in_groups: bool = False
    "digits or letters are being said"


@dataclass(frozen=True, slots=True)
class AskModel:
    """Ask the turn model, then tell `scored`."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The turn is over: take it."""

    waited_seconds: float
    "silence until now"
    reason: str
    likelihood: float | None
    "the model's last word, None when it has not answered"


Command = AskModel | Commit


_EVEN = 0.5


def likelihood(probability: float, threshold: float, silence_seconds: float) -> float:
    """A model's probability on a scale on which 0.5 is its own threshold, `silence_seconds` into a silence.

    v1-mini was made to be asked 0.2 s after the end of speech. The longer the silence in the 1.2 s that it hears, the
    higher its probability, whether the caller has finished or not: by 2.3 in the logarithm of the odds per second
    (tests/audio/turns, 0.26 to 0.64 s, medians at ends and at pauses). That much is taken back.
    """
    if not 0 < probability < 1 or not 0 < threshold < 1:
        return probability
    drift = _DRIFT_PER_SECOND * max(0.0, silence_seconds - _ASKED_FIRST_SECONDS)
    odds = probability / (1 - probability) * (1 - threshold) / threshold * exp(-drift)
    return odds / (1 + odds)


_DRIFT_PER_SECOND = 2.3
_ASKED_FIRST_SECONDS = 0.256
"the moment at which the framework asks"


@dataclass(slots=True)
class _Silence:
    began_at: float
    wordless: bool
    "nothing has been recognised yet of the sound before it"
    asked: int = 0
    "how many of the moments for asking the model have passed"
    asking: bool = False
    likelihood: float | None = None
    suspected_at: float | None = None
    "when the last noise in it began"
    held_until: float = float("-inf")
    committed: bool = False


@dataclass(slots=True)
class EndOfTurn:
    settings: EndOfTurnSettings = field(default_factory=EndOfTurnSettings)
    "may be exchanged at any time"
    _now: float = field(default=float("-inf"), init=False)
    _silence: _Silence | None = field(default=None, init=False)
    _sound_since: float | None = field(default=None, init=False)
    _first_sound: bool = field(default=True, init=False)
    "of its turn: no words can be about an earlier one"
    _words: Words | None = field(default=None, init=False)
    _words_at: float = field(default=float("-inf"), init=False)
    _longest_pause: float = field(default=0.0, init=False)
    "between two groups of this turn"

    # --- what happens ---

    def silence_started(self, now: float, *, began_at: float) -> None:
        """The caller has been silent since `began_at`; it takes the voice detector a while to say so."""
        self._pass(now)
        sound, settings = self._sound_since, self.settings
        wordless = False
        if sound is not None and began_at - sound >= settings.shortest_sound_seconds:
            told_since = sound + (0 if self._first_sound else settings.first_words_seconds)
            wordless = self._words_at < told_since
        self._silence = _Silence(min(began_at, now), wordless)

    def speech_resumed(self, now: float) -> None:
        """Something sounds again: what was asked and said about the silence before is void."""
        self._pass(now)
        if self._silence is not None or self._sound_since is None:
            self._first_sound = self._sound_since is None
            self._sound_since = now
        if self._silence is not None and self._words is not None and self._words.in_groups:
            self._longest_pause = max(self._longest_pause, now - self._silence.began_at)
        self._silence = None

    def sound_suspected(self, now: float) -> None:
        """Something begins to sound in the silence; it is not known yet to be speech."""
        self._pass(now)
        silence, settings = self._silence, self.settings
        if silence is None:
            return
        if silence.suspected_at is None or now > silence.held_until + settings.hold_seconds:
            silence.suspected_at = now
        silence.held_until = min(now + settings.hold_seconds, silence.suspected_at + settings.longest_hold_seconds)

    def words_heard(self, now: float, words: Words) -> None:
        """The recognised text of the turn has changed."""
        self._pass(now)
        self._words, self._words_at = words, now
        if self._silence is not None:
            self._silence.wordless = False

    def scored(self, now: float, likelihood: float) -> None:
        """The model's answer to `AskModel`, as a `likelihood`."""
        self._pass(now)
        if self._silence is not None:
            self._silence.asking, self._silence.likelihood = False, likelihood

    def turn_over(self, now: float) -> None:
        """The turn was taken, or dropped: the next words begin a new one."""
        self._pass(now)
        self._silence = self._sound_since = self._words = None
        self._words_at = float("-inf")
        self._longest_pause = 0.0

    # --- what is to be done ---

    def due(self, now: float) -> list[Command]:
        """The commands whose time has come; one Commit for each silence at most."""
        self._pass(now)
        silence = self._silence
        if silence is None or silence.committed:
            return []
        commit_at = self._commit_at(silence)
        if commit_at is not None and now >= max(commit_at, silence.held_until):
            silence.committed = True
            reason = self._words.reason if self._words is not None else ""
            return [Commit(now - silence.began_at, reason, silence.likelihood)]
        ask_at = self._ask_at(silence)
        if ask_at is None or now < ask_at:
            return []
        moments = self.settings.ask_after_seconds
        silence.asked = sum(silence.began_at + moment <= now for moment in moments)
        silence.asking = True
        return [AskModel()]

    def deadline(self) -> float | None:
        """When `due` has to be asked next, never in the past; None when only an event can change anything."""
        silence = self._silence
        if silence is None or silence.committed:
            return None
        commit_at, ask_at = self._commit_at(silence), self._ask_at(silence)
        if commit_at is not None:
            commit_at = max(commit_at, silence.held_until)
        moments = [at for at in (commit_at, ask_at) if at is not None]
        return max(min(moments), self._now) if moments else None

    def _ask_at(self, silence: _Silence) -> float | None:
        moments = self.settings.ask_after_seconds
        if silence.asking or silence.asked >= len(moments) or (silence.asked and self._words is None):
            return None  # a noise is worth one question
        return silence.began_at + moments[silence.asked]

    def _commit_at(self, silence: _Silence) -> float | None:
        words, settings = self._words, self.settings
        if words is None or not words.any_final:
            return None
        patience = self._patience(words)
        latest = silence.began_at + patience.latest_seconds
        if not words.final:
            return max(latest, self._words_at + settings.words_seconds)
        if silence.wordless:
            return max(latest, silence.began_at + settings.sound_seconds)
        soonest = silence.began_at + patience.soonest_seconds
        commit_at = latest - (latest - soonest) * self._trust(silence.likelihood, words)
        return max(commit_at, self._words_at + settings.handover_seconds)

    def _patience(self, words: Words) -> Patience:
        settings = self.settings
        if words.completeness != "neutral" or not words.in_groups:
            chosen: Patience = getattr(settings, words.completeness)
            return chosen
        if not self._longest_pause:
            return settings.grouped
        rhythm = max(self._longest_pause + settings.rhythm_seconds, settings.grouped.soonest_seconds)
        return replace(settings.grouped, latest_seconds=min(rhythm, settings.dictating.latest_seconds))

    def _trust(self, likelihood: float | None, words: Words) -> float:
        """How far the model's word, seen with those of the caller, shortens the wait: 0 to 1."""
        if likelihood is None:
            return 0.0
        odds = self.settings.complete_odds if words.completeness == "complete" else 1.0
        seen = likelihood * odds / (likelihood * odds + 1 - likelihood)
        return min(1.0, max(0.0, (seen - _EVEN) / (self.settings.sure_likelihood - _EVEN)))

    def _pass(self, now: float) -> None:
        self._now = max(self._now, now)
