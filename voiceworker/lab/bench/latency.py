"""First audio: from the caller's last sample sent to the agent's first audible sample received."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from voiceworker.lab.bench.line import ReceivedEvent
from voiceworker.lab.bench.report import Goal, Line, Report
from voiceworker.lab.bench.rig import DELAYS, Rig, Seat
from voiceworker.lab.bench.stats import Interval, Pairs, abba, quantile, ratio
from voiceworker.lab.speech import Speech

ANSWER_SECONDS = 12
"a turn that is not answered within this is not answered"
GOALS: dict[tuple[str, float], float] = {
    ("livekit", 0.5): 0.60,
    ("pipecat", 0.5): 0.50,
    ("livekit", 0.95): 0.35,
    ("pipecat", 0.95): 0.30,
}


@dataclass(slots=True)
class Turn:
    """One question and what came of it. Seconds."""

    round: int
    system: str
    speech: str
    v2v: float | None
    "None: not answered, or the agent spoke before the caller had finished"
    cut_off: bool
    "the agent was audible before the caller's last sample was sent"
    recognised: bool = True
    "the emulated recogniser sent words of it; if not, the fault may be the bench's: speech that came in pieces"
    reported: float | None = None
    "what the system itself says v2v was"
    parts: dict[str, float] = field(default_factory=dict)


async def ask(rig: Rig, seat: Seat, speech: Speech, number: int) -> Turn:
    """One question, asked when the agent has been quiet for a while, and its answer, to the end."""
    line, ear = seat.line, seat.ear
    await line.until_quiet(0.8)
    await line.pause(random.Random(f"{number}/{speech.name}").uniform(0.1, 0.5))
    said = await seat.say(speech)
    early = ear.onset_after(said.started_at, before=said.ended_at)
    await line.until(lambda: ear.onset_after(said.ended_at), ANSWER_SECONDS)
    onset = ear.onset_after(said.ended_at)
    await line.until_quiet(0.7)
    turn = Turn(number, seat.name, speech.name, None, early is not None)
    turn.recognised = any(
        words.api_key == seat.name and words.sent_at > said.started_at for words in rig.emulators.heard[-50:]
    )
    if onset is not None and not turn.cut_off:
        turn.v2v = onset - said.ended_at
        turn.reported, turn.parts = self_reported(line.events, said.ended_at, onset)
    return turn


def self_reported(
    events: Sequence[ReceivedEvent], ended_at: float, onset: float
) -> tuple[float | None, dict[str, float]]:
    """The last report of a first audio between the end of the question and a second after the answer was heard."""
    for event in reversed(events):
        if event.body.get("type") == "agent.speech_started" and ended_at < event.received_at < onset + 1:
            first = event.body.get("first_audio_ms")
            parts = {name: value / 1000 for name, value in (event.body.get("parts") or {}).items()}
            return (first / 1000 if first is not None else None), parts
    return None, {}


async def run(rig: Rig, speeches: Sequence[Speech], rounds: int) -> Report:
    turns: list[Turn] = []
    await rig.calibrate()
    async with rig.seats() as seats:
        for seat in seats.values():  # the first turn of a call meets cold connections; it is no one's figure
            await ask(rig, seat, speeches[0], -1)
        for number, order in enumerate(abba(tuple(rig.systems), rounds)):
            for name in order:
                turn = await ask(rig, seats[name], speeches[number % len(speeches)], number)
                turns.append(turn)
                rig.options.say(_progress(turn))
    await rig.calibrate()
    return report(turns, rig.description(), sum_of_providers(rig.options.delays), rig.transit.p50)


def sum_of_providers(delays: str) -> float:
    """What the emulated providers take one after the other, without the silence before the first word."""
    given = DELAYS[delays]
    return given.final_seconds + given.first_token_seconds + given.first_audio_seconds


def _progress(turn: Turn) -> str:
    figure = "cut off" if turn.cut_off else "no answer" if turn.v2v is None else f"{turn.v2v * 1000:.0f} ms"
    return f"{turn.round:3d} {turn.system:8s} {turn.speech:24s} {figure}"


# --- judging: pure ---------------------------------------------------------------------------------------------------


def report(turns: Sequence[Turn], settings: dict[str, Any], providers_seconds: float, transit_seconds: float) -> Report:
    found = Report("latency", settings, rounds=[asdict(turn) for turn in turns])
    systems = list(dict.fromkeys(turn.system for turn in turns))
    for name in systems:
        own = [turn for turn in turns if turn.system == name]
        values = [turn.v2v for turn in own if turn.v2v is not None]
        added = quantile(values, 0.5) - 2 * transit_seconds - providers_seconds
        unanswered = [turn for turn in own if turn.v2v is None and not turn.cut_off]
        lost = sum(not turn.recognised for turn in unanswered)
        found.notes.append(
            f"{name}: p50 {_ms(values, 0.5)}, p90 {_ms(values, 0.9)}, p95 {_ms(values, 0.95)}; beyond transit and "
            f"providers {added * 1000:.0f} ms; {len(unanswered)} of {len(own)} not answered "
            f"({lost} of them without a word recognised), {sum(turn.cut_off for turn in own)} cut off"
        )
    for peer in [name for name in systems if name != "ours"]:
        found.lines += compare(turns, peer)
    found.lines += honesty(turns)
    return found


def compare(turns: Sequence[Turn], peer: str) -> list[Line]:
    """v2v of ours over the peer's, p50 and p95."""
    by_round = {(turn.system, turn.round): turn.v2v for turn in turns}
    rounds = sorted({turn.round for turn in turns})
    pairs = Pairs.of(
        [by_round.get(("ours", number)) for number in rounds], [by_round.get((peer, number)) for number in rounds]
    )
    lines = []
    for share in (0.5, 0.95):
        goal = GOALS.get((peer, share))
        lines.append(
            Line(
                f"v2v p{share * 100:.0f}",
                peer,
                _ms(list(pairs.ours), share),
                _ms(list(pairs.peers), share),
                ratio(pairs, share),
                Goal(goal) if goal is not None else None,
            )
        )
    return lines


def honesty(turns: Sequence[Turn]) -> list[Line]:
    """How far what ours reports is from what was heard, and its parts from their sum."""
    told = [turn for turn in turns if turn.reported is not None and turn.v2v is not None]
    if not told:
        return []
    off = [abs((turn.reported or 0) - (turn.v2v or 0)) * 1000 for turn in told]
    gap = [abs(sum(turn.parts.values()) - (turn.reported or 0)) * 1000 for turn in told if turn.parts]
    lines = [Line("reported v2v off by, p95 (ms)", "", _ms_of(off), "", _exact(off), Goal(30))]
    if gap:
        lines.append(Line("its parts off their sum, p95 (ms)", "", _ms_of(gap), "", _exact(gap), Goal(20)))
    return lines


def _exact(values: Sequence[float]) -> Interval:
    figure = quantile(values, 0.95)
    return Interval(figure, figure, figure, len(values))


def _ms(seconds: Sequence[float], share: float) -> str:
    return f"{quantile(seconds, share) * 1000:.0f} ms" if len(seconds) else "-"


def _ms_of(milliseconds: Sequence[float]) -> str:
    return f"{quantile(milliseconds, 0.95):.0f} ms"
