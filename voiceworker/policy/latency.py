"""Honest latency: what the caller waited, and where the milliseconds went; pure.

Voice to voice is counted from the caller's last sample of speech leaving him to the first audible sample of the reply
reaching him. What happens in the worker is told by the methods, in seconds of a monotonic clock; what lies between
the worker and the caller is told as a `Transit`. The answer comes out of `audible`.

Speculation puts moments out of their order: a first token may be there before the turn is committed. So each part is
the time that the critical path spent on it: what was ready before it was needed costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

PARTS = ("end_of_speech", "transcript", "commit", "tools", "first_token", "first_audio", "playout", "transit")
"""In this order, each in milliseconds, together the total.

end_of_speech: from the last sample of speech until the voice detector was sure of the silence.
transcript: then until the final transcript.
commit: then until the turn was taken as the caller's whole.
tools: after that, time in which a tool was at work and nothing had been said yet.
first_token: the rest of the time until the first token of the reply that was spoken.
first_audio: then until its first audio came from the synthesiser.
playout: then until its first audible sample went to the network: queue, leading silence, a reply held back.
transit: from the caller to the worker and back, by network, codecs and jitter buffers.
"""


@dataclass(frozen=True, slots=True)
class Transit:
    """One-way times between the caller's mouth or ear and the worker's frames, as estimated."""

    in_seconds: float
    "from a sample leaving the caller to the arrival of its frame in the worker"
    out_seconds: float
    "from a frame given to the network by the worker to the caller's ear"
    uncertainty_seconds: float = 0.0
    "how far the sum may be off"


@dataclass(frozen=True, slots=True)
class TurnLatency:
    total_ms: int
    parts: dict[str, int]
    "every name of PARTS in that order; none is negative, together they are `total_ms`"
    uncertainty_ms: int = 0
    "of the estimated transit within it"


@dataclass(slots=True)
class _Question:
    """A turn of the caller, as far as it is known."""

    asked_at: float | None = None
    "arrival of the last sample of speech, or of a typed text"
    silence_at: float | None = None
    transcribed_at: float | None = None
    committed_at: float | None = None
    typed: bool = False


@dataclass(slots=True)
class _Reply:
    token_at: float | None = None
    audio_at: float | None = None
    tools: dict[str, tuple[float, float | None]] = field(default_factory=dict)
    "call id -> when it began and ended"


class TurnClock:
    """The clock of one call. Every method may come at any time, in any order, or not at all."""

    def __init__(self) -> None:
        self._speech = _Question()
        "what the caller has said since the last commit"
        self._question: _Question | None = None
        "committed and not answered"
        self._reply = _Reply()

    # --- the caller ---

    def speech_ended(self, now: float, last_loud_at: float) -> None:
        """The voice detector is sure of silence; the last sample of speech had arrived at `last_loud_at`.

        A turn may be committed before its verdict: one whose speech lies before the commit still counts for it.
        """
        spoken = self._speech
        if self._question is not None and last_loud_at <= (self._question.committed_at or 0.0):
            spoken = self._question
        if spoken.typed or (spoken.asked_at is not None and last_loud_at < spoken.asked_at):
            return
        spoken.asked_at, spoken.silence_at = min(last_loud_at, now), now

    def transcribed(self, now: float) -> None:
        """A final transcript came."""
        self._speech.transcribed_at = now

    def committed(self, now: float, last_loud_at: float | None = None) -> None:
        """The turn is over and will be answered. `last_loud_at` where it is known and no verdict of silence came."""
        question, self._speech = self._speech, _Question()
        if last_loud_at is not None and (question.asked_at is None or last_loud_at > question.asked_at):
            question.asked_at, question.silence_at = last_loud_at, None
        if question.asked_at is not None:
            question.asked_at = min(question.asked_at, now)
        question.committed_at = now
        self._question = question
        self._reply.tools.clear()

    def typed(self, now: float) -> None:
        """A typed text arrived: a turn that is committed as it stands."""
        self._speech = _Question()
        self._question = _Question(asked_at=now, committed_at=now, typed=True)
        self._reply.tools.clear()

    def dismissed(self) -> None:
        """The committed turn will have no answer: nothing to measure until the next one."""
        self._question = None

    # --- the reply ---

    def tool_called(self, now: float, call_id: str) -> None:
        self._reply.tools[call_id] = (now, None)

    def tool_returned(self, now: float, call_id: str) -> None:
        began, _ = self._reply.tools.get(call_id, (now, None))
        self._reply.tools[call_id] = (began, now)

    def first_token(self, now: float) -> None:
        """The first token of a request to the LLM. It takes the place of an earlier request's: a speculation thrown
        away, or the one that called a tool."""
        self._reply.token_at, self._reply.audio_at = now, None

    def first_audio(self, now: float) -> None:
        """Audio of the reply came from the synthesiser; the first after a first token counts."""
        if self._reply.audio_at is None:
            self._reply.audio_at = now

    def audible(self, at: float, transit: Transit) -> TurnLatency | None:
        """The first audible sample of a stretch of speech goes to the network at `at`, which may lie ahead.

        None when it answers nothing: a greeting, the second sentence of a reply, a speech begun before the turn was
        committed, or a turn whose end nobody heard.
        """
        question = self._question
        if question is None:
            self._reply = _Reply()
            return None
        assert question.committed_at is not None
        if at < question.committed_at:
            return None
        reply, self._reply, self._question = self._reply, _Reply(), None
        return None if question.asked_at is None else _measure(question, reply, at, transit)


def _measure(question: _Question, reply: _Reply, at: float, transit: Transit) -> TurnLatency:
    start, committed_at = question.asked_at, question.committed_at
    assert start is not None
    assert committed_at is not None
    marks = [start]
    # the turn's own evidence cannot have held up what it came after: it counts until the commit at most
    for moment, latest in (
        (question.silence_at, committed_at),
        (question.transcribed_at, committed_at),
        (committed_at, at),
        (reply.token_at, at),
        (reply.audio_at, at),
        (at, at),
    ):
        marks.append(marks[-1] if moment is None else max(marks[-1], min(moment, latest)))
    milliseconds = [round((mark - start) * 1000) for mark in marks]
    silence, transcript, commit, token, audio, playout = (after - before for before, after in pairwise(milliseconds))
    tools = min(token, round(_covered(reply.tools.values(), marks[3], marks[4]) * 1000))
    # a typed text needs no microphone, codec or jitter buffer on its way in, and that way is not measured
    way = transit.out_seconds + (0.0 if question.typed else transit.in_seconds)
    spent = (silence, transcript, commit, tools, token - tools, audio, playout, max(0, round(way * 1000)))
    parts = dict(zip(PARTS, spent, strict=True))
    return TurnLatency(sum(spent), parts, max(0, round(transit.uncertainty_seconds * 1000)))


def _covered(spans: Iterable[tuple[float, float | None]], begin: float, end: float) -> float:
    """How many seconds between `begin` and `end` lie within at least one span; an open one lasts until `end`."""
    seconds, reached = 0.0, begin
    for began, ended in sorted(spans, key=lambda span: span[0]):
        stop = end if ended is None else min(ended, end)
        seconds += max(0.0, stop - max(began, reached))
        reached = max(reached, stop)
    return seconds
