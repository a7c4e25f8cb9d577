"""Joining: from asking for a call to hearing the greeting, the same text for all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from voiceworker.lab.bench.report import Goal, Line, Report
from voiceworker.lab.bench.rig import Rig
from voiceworker.lab.bench.stats import Pairs, abba, quantile, ratio

_GREETED_SECONDS = 30
_SETTLE_SECONDS = 4.0
"for a process of a worker's reserve to be made anew"
_GOALS = {"livekit": 0.7}


@dataclass(slots=True)
class Join:
    """Seconds from the start of the request for a call (ours: the POST; peers: the token)."""

    round: int
    system: str
    connected: float
    "the caller is in the room"
    subscribed: float | None
    "the agent's track is there"
    greeting: float | None
    "its first audible sample"

    @property
    def greeting_after_connect(self) -> float | None:
        return self.greeting - self.connected if self.greeting is not None else None


async def run(rig: Rig, rounds: int) -> Report:
    joins: list[Join] = []
    await rig.calibrate()
    for name in rig.systems:  # the first call of a worker meets cold files and connections
        await _join(rig, name, -1)
    for number, order in enumerate(abba(tuple(rig.systems), rounds)):
        for name in order:
            join = await _join(rig, name, number)
            joins.append(join)
            figure = f"{join.greeting * 1000:.0f} ms" if join.greeting is not None else "no greeting"
            rig.options.say(f"{number:3d} {name:8s} greeting heard after {figure}")
    await rig.calibrate()
    return report(joins, rig.description())


async def _join(rig: Rig, name: str, number: int) -> Join:
    async with rig.seat(name, greeted=False) as seat:
        line, asked = seat.line, seat.call.asked_at
        await line.until(lambda: line.ear.onset_after(0), _GREETED_SECONDS)
        onset = line.ear.onset_after(0)
        join = Join(
            number,
            name,
            line.connected_at - asked,
            line.subscribed_at - asked if line.subscribed_at is not None else None,
            onset - asked if onset is not None else None,
        )
        await line.until_quiet(0.5)
    await asyncio.sleep(_SETTLE_SECONDS)
    return join


# --- judging: pure ---------------------------------------------------------------------------------------------------


def report(joins: Sequence[Join], settings: dict[str, Any]) -> Report:
    found = Report("join", settings, rounds=[asdict(join) for join in joins])
    systems = list(dict.fromkeys(join.system for join in joins))
    for peer in [name for name in systems if name != "ours"]:
        found.lines.append(_line("request to greeting, p50", joins, peer, "greeting", _GOALS.get(peer)))
        found.lines.append(_line("in the room to greeting, p50", joins, peer, "greeting_after_connect", None))
        found.lines.append(_line("request to agent's track, p50", joins, peer, "subscribed", None))
    for system in systems:
        lost = sum(join.greeting is None for join in joins if join.system == system)
        found.notes.append(f"{system}: {lost} of {sum(join.system == system for join in joins)} calls without greeting")
    return found


def _line(metric: str, joins: Sequence[Join], peer: str, name: str, bound: float | None) -> Line:
    table = {(join.system, join.round): getattr(join, name) for join in joins}
    rounds = sorted({join.round for join in joins})
    pairs = Pairs.of([table.get(("ours", each)) for each in rounds], [table.get((peer, each)) for each in rounds])
    ours, theirs = (f"{quantile(list(side), 0.5) * 1000:.0f} ms" for side in (pairs.ours, pairs.peers))
    return Line(metric, peer, ours, theirs, ratio(pairs), Goal(bound) if bound is not None else None)
