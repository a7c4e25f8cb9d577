"""False cut-offs: callers pause within a sentence. Does the agent speak into the pause, and what does patience cost?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from voiceworker.lab.bench.latency import Turn, ask, compare
from voiceworker.lab.bench.report import Line, Report
from voiceworker.lab.bench.rig import Rig
from voiceworker.lab.bench.stats import Interval, abba, quantile, share_of
from voiceworker.lab.speech import Speech

LEAST_PAUSE_SECONDS = 0.3
MOST_PAUSE_SECONDS = 1.6


def with_pauses(speeches: Sequence[Speech]) -> list[Speech]:
    """Those whose longest inner silence is what an agent may fall into."""
    return [speech for speech in speeches if LEAST_PAUSE_SECONDS <= speech.longest_pause_seconds <= MOST_PAUSE_SECONDS]


async def run(rig: Rig, speeches: Sequence[Speech]) -> Report:
    """Every utterance once by every system, on one call each."""
    turns: list[Turn] = []
    await rig.calibrate()
    async with rig.seats() as seats:
        for number, (order, speech) in enumerate(zip(abba(tuple(rig.systems), len(speeches)), speeches, strict=True)):
            for name in order:
                turn = await ask(rig, seats[name], speech, number)
                turns.append(turn)
                figure = "CUT OFF" if turn.cut_off else f"{turn.v2v:.2f} s" if turn.v2v else "no answer"
                rig.options.say(f"{number:3d} {name:8s} {speech.name:32s} {figure}")
    await rig.calibrate()
    pauses = {speech.name: speech.longest_pause_seconds for speech in speeches}
    return report(turns, pauses, rig.description())


# --- judging: pure ---------------------------------------------------------------------------------------------------


def cut_offs(turns: Sequence[Turn]) -> dict[str, Interval]:
    """By system: the share of utterances that it spoke into."""
    found = {}
    for system in dict.fromkeys(turn.system for turn in turns):
        own = [turn for turn in turns if turn.system == system]
        found[system] = share_of(sum(turn.cut_off for turn in own), len(own))
    return found


def report(turns: Sequence[Turn], pauses: Mapping[str, float], settings: dict[str, Any]) -> Report:
    body = [asdict(turn) | {"longest_pause": pauses.get(turn.speech)} for turn in turns]
    found = Report("cutoff", settings, rounds=body)
    shares = cut_offs(turns)
    for system, share in shares.items():
        ours = f"{shares['ours'].value * 100:.0f} %" if "ours" in shares else "-"
        found.lines.append(Line("cut off in a pause", system, ours, f"{share.value * 100:.0f} %", share))
    for peer in [name for name in shares if name != "ours"]:
        found.lines += compare(turns, peer)
    for system in shares:
        own = [turn for turn in turns if turn.system == system]
        values = [turn.v2v for turn in own if turn.v2v is not None]
        silent = sum(turn.v2v is None and not turn.cut_off for turn in own)
        found.notes.append(
            f"{system}: first audio p50 {quantile(values, 0.5):.2f} s, p95 {quantile(values, 0.95):.2f} s; "
            f"{silent} of {len(own)} not answered"
        )
    return found
