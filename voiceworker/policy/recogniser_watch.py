"""Does a recogniser still hear? Speech goes in; when nothing comes out for too long, it hangs; pure.

What it owes is known from a voice detector of our own. But not every voice is speech: a cough, a laugh, a song give no
words. So an engine that says nothing is only suspected, until another one finds words in the same sound; when that one
finds none either, it was noise, and from then on it takes more of it to be suspected.

Places are seconds of the caller's audio, moments (`now`) seconds of a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WatchSettings:
    mute_seconds: float = 2.0
    "of speech without any sign of the engine; not for one that tells nothing while the caller speaks"
    final_seconds: float = 1.0
    "from the end of speech, or the last sign of the engine after it, to the final transcript"
    latest_seconds: float = 2.0
    "from the end of speech to the final transcript, whatever signs there are"
    least_voice_seconds: float = 0.3
    "less is no word"
    longest_least_voice_seconds: float = 2.0
    "after any number of false alarms"
    grace_seconds: float = 0.5
    "a voice detector lets speech end so much later than a recogniser's last word does"


@dataclass(slots=True)
class _Voice:
    began: float
    ended: float | None = None

    def seconds_after(self, place: float, until: float) -> float:
        end = until if self.ended is None else self.ended
        return max(0.0, end - max(self.began, place))


@dataclass(slots=True)
class RecogniserWatch:
    settings: WatchSettings = field(default_factory=WatchSettings)
    _voices: list[_Voice] = field(default_factory=list)
    "with something that no final transcript covers"
    _excused: float = float("-inf")
    "place up to which nothing is owed"
    _heard: float = 0.0
    "place up to which the voice detector has listened"
    _ended_at: float | None = None
    "moment at which the last voice was seen to have ended; None while there is one"
    _speaks_since: float | None = None
    _sign_at: float = float("-inf")
    _engine_since: float = float("-inf")
    _has_interims: bool = True
    _patience: float = 0.0
    "with the present engine, beyond that of the settings"
    _interim_open: bool = False
    "it has begun to tell words that no final transcript holds"
    _least_voice: float = 0.0

    def __post_init__(self) -> None:
        self._least_voice = self.settings.least_voice_seconds

    # --- what happens ---

    def engine_began(self, now: float, *, has_interims: bool, final_seconds: float | None = None) -> None:
        """An engine has got all that is owed. `final_seconds`: what it takes to its final transcript, if it is known
        to take its time."""
        self._patience = max(0.0, (final_seconds or 0.0) - self.settings.final_seconds)
        self._engine_since, self._sign_at = now, float("-inf")
        self._has_interims, self._interim_open = has_interims, False
        self._excused = float("-inf")

    def voice_began(self, place: float, now: float) -> None:
        if not (self._voices and self._voices[-1].ended is None):
            self._voices.append(_Voice(place))
        self._ended_at, self._speaks_since = None, now
        self._heard = max(self._heard, place)

    def voice_ended(self, place: float, now: float) -> None:
        if self._voices and self._voices[-1].ended is None:
            self._voices[-1].ended = max(place, self._voices[-1].began)
        self._ended_at, self._speaks_since = now, None
        self._heard = max(self._heard, place)

    def sign(self, now: float) -> None:
        """The engine tells of a voice, without words."""
        self._sign_at = now

    def interim(self, now: float) -> None:
        self._sign_at, self._interim_open = now, True

    def final(self, covered: float, now: float) -> None:
        """A final transcript, of all up to this place."""
        self._sign_at, self._interim_open = now, False
        self._least_voice = self.settings.least_voice_seconds
        self._forget(covered + self.settings.grace_seconds)

    def engine_ended_speech(self) -> None:
        """The engine holds the speech for finished: what of it had no words has none."""
        if not self._interim_open:
            self._excused = self._heard

    def was_noise(self) -> None:
        """Nobody found words in what is owed."""
        self._least_voice = min(2 * self._least_voice, self.settings.longest_least_voice_seconds)
        self._interim_open = False
        self._forget(self._heard)

    # --- what follows ---

    @property
    def is_speaking(self) -> bool:
        return self._speaks_since is not None

    @property
    def owes(self) -> bool:
        """There is, or may be, something to be transcribed."""
        return self.is_speaking or self._interim_open or self.owed_seconds >= self._least_voice

    @property
    def owed_since(self) -> float | None:
        """Where the first voice begins that is not covered by a final transcript; None: there is none."""
        return self._voices[0].began if self._voices else None

    @property
    def voice_since(self) -> float | None:
        """Where the present voice begins; None: nobody speaks."""
        return self._voices[-1].began if self.is_speaking and self._voices else None

    @property
    def heard_until(self) -> float:
        """Up to where it is known whether there is a voice."""
        return self._heard

    @property
    def owed_seconds(self) -> float:
        """Of voice."""
        return sum(voice.seconds_after(self._excused, self._heard) for voice in self._voices)

    def deadline(self) -> float | None:
        """When the engine is to be given up, if nothing comes of it until then; None: nothing is owed."""
        settings = self.settings
        if self._speaks_since is not None:
            if not self._has_interims:
                return None
            return max(self._speaks_since, self._sign_at, self._engine_since) + settings.mute_seconds
        if not self.owes:
            return None
        # words of a voice that the detector did not hear are owed as well
        ended_at = self._sign_at if self._ended_at is None else self._ended_at
        since = max(ended_at, self._engine_since)
        latest = since + settings.latest_seconds
        return min(max(since, self._sign_at) + settings.final_seconds, latest) + self._patience

    def is_overdue(self, now: float) -> bool:
        deadline = self.deadline()
        return deadline is not None and now >= deadline

    def _forget(self, until: float) -> None:
        self._voices = [voice for voice in self._voices if voice.ended is None or voice.ended > until]
        for voice in self._voices:
            voice.began = max(voice.began, min(until, voice.ended or until))
