"""What was said by whom in which turn, put together from what a client sees. Pure: the times are given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from voiceworker.lab.audio import SpeechDetector


@dataclass(slots=True)
class Segment:
    """One thing said, as it is written down."""

    text: str
    started_at: float
    final: bool = False
    interrupted: bool = False


@dataclass(slots=True)
class Utterance:
    """What the caller said or typed."""

    started_at: float
    ended_at: float | None = None
    "when the last sample of it was sent; None while it is being said"


@dataclass(frozen=True, slots=True)
class Turn:
    caller: str
    "what the agent understood; empty when it reported nothing"
    agent: str
    "what the agent answered, as far as it was heard"
    first_audio_ms: int | None
    """from the caller's last speech sample sent to the agent's first audible sample received; None when the agent
    did not begin to speak after it"""
    interrupted: bool
    "the answer was cut off by the caller"


class Conversation:
    """Times are seconds of any one clock, the same for all of it."""

    def __init__(self, heard: SpeechDetector) -> None:
        self.heard = heard
        self.utterances: list[Utterance] = []
        self.agent_segments: list[Segment] = []
        self.caller_segments: list[Segment] = []
        self._by_name: dict[str, Segment] = {}

    def segment(self, name: str, *, of_caller: bool, now: float) -> Segment:
        """The segment of that name, begun at `now` if it is new: better guesses at the same words share a name."""
        known = self._by_name.get(name)
        if known is None:
            known = self._by_name[name] = Segment("", now)
            (self.caller_segments if of_caller else self.agent_segments).append(known)
        return known

    def interrupted(self, heard_text: str) -> None:
        """The agent was cut off: marks the last segment that reads so, or else the last of all."""
        heard = heard_text.strip()
        fitting = [segment for segment in self.agent_segments if heard and segment.text.strip() == heard]
        if self.agent_segments:
            (fitting or self.agent_segments)[-1].interrupted = True

    @property
    def greeting(self) -> str:
        """What the agent said before the caller said anything."""
        first = self.utterances[0].started_at if self.utterances else float("inf")
        return _joined(segment for segment in self.agent_segments if segment.started_at < first)

    def turns(self) -> list[Turn]:
        """One for each utterance so far, in order: an answer belongs to the utterance that it began after."""
        ends = [utterance.started_at for utterance in self.utterances[1:]] + [float("inf")]
        return [self._turn(utterance, end) for utterance, end in zip(self.utterances, ends, strict=False)]

    def _turn(self, utterance: Utterance, end: float) -> Turn:
        answers = [item for item in self.agent_segments if utterance.started_at <= item.started_at < end]
        said = [item for item in self.caller_segments if utterance.started_at <= item.started_at < end]
        first_audio_ms = None
        if utterance.ended_at is not None:
            onset = self.heard.onset_after(utterance.ended_at)
            if onset is not None and onset < end:
                first_audio_ms = round((onset - utterance.ended_at) * 1000)
        return Turn(_joined(said), _joined(answers), first_audio_ms, any(item.interrupted for item in answers))

    def was_answered(self, utterance: Utterance) -> bool:
        """Whether the agent was heard after it, be it that it went on speaking."""
        return utterance.ended_at is not None and self.heard.heard_after(utterance.ended_at)


def _joined(segments: Iterable[Segment]) -> str:
    return " ".join(text for segment in segments if (text := segment.text.strip()))
