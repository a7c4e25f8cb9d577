"""Load: several calls at once on one worker. What a call costs, and when the answers grow late."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from voiceworker.lab.bench.latency import Turn, ask
from voiceworker.lab.bench.report import Line, Report
from voiceworker.lab.bench.rig import Rig
from voiceworker.lab.bench.stats import Interval, quantile, slope
from voiceworker.lab.speech import Speech

CALLS = (1, 2, 4)
"a caller of the bench costs as much as an agent, so two cores hold four honest pairs"
_STAGGER_SECONDS = 0.7


@dataclass(frozen=True, slots=True)
class Step:
    """So many calls at once to one system, each with a few turns."""

    system: str
    calls: int
    v2v: tuple[float, ...]
    failed: int
    "turns without an answer"
    cores: float
    "of the worker and its children, while the calls talk"
    pss_megabytes: float
    machine_busy: float
    "share of all cores, by whomsoever"
    harness_late_seconds: float
    "the worst delay of a caller's frame: with more than 20 ms the bench measures itself"


@dataclass(frozen=True, slots=True)
class _Spent:
    seconds: float
    cpu_seconds: float

    @classmethod
    def now(cls, process_id: int) -> _Spent:
        total = 0.0
        for process in _tree(process_id):
            try:
                times = process.cpu_times()
            except psutil.Error:  # it has ended meanwhile
                continue
            total += times.user + times.system
        return cls(time.perf_counter(), total)


def _tree(process_id: int) -> list[psutil.Process]:
    worker = psutil.Process(process_id)
    return [worker, *worker.children(recursive=True)]


def _pss_megabytes(process_id: int) -> float:
    total = 0
    for process in _tree(process_id):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 1e6


async def run(rig: Rig, speeches: Sequence[Speech], turns_each: int, counts: Sequence[int] = CALLS) -> Report:
    steps: list[Step] = []
    await rig.calibrate()
    for place, count in enumerate(counts):
        names = tuple(rig.systems) if place % 2 == 0 else tuple(rig.systems)[::-1]
        for name in names:
            step = await _step(rig, name, count, speeches, turns_each)
            steps.append(step)
            rig.options.say(
                f"{name:8s} {count} calls: p50 {quantile(step.v2v, 0.5) * 1000:.0f} ms, {step.failed} failed, "
                f"{step.cores:.2f} cores, {step.pss_megabytes:.0f} MB"
            )
    await rig.calibrate()
    return report(steps, rig.description())


async def _step(rig: Rig, name: str, count: int, speeches: Sequence[Speech], turns_each: int) -> Step:
    process_id = rig.systems[name].process_id
    async with AsyncExitStack() as calls:
        seats = [await calls.enter_async_context(rig.seat(name)) for _ in range(count)]
        for seat in seats:
            seat.line.latest_frame_seconds = 0

        async def converse(place: int) -> list[Turn]:
            """Every caller says something else at a time, so that none is taken for another."""
            await asyncio.sleep(place * _STAGGER_SECONDS)
            chosen = [speeches[(place + turn * count) % len(speeches)] for turn in range(turns_each)]
            return [await ask(rig, seats[place], speech, number) for number, speech in enumerate(chosen)]

        psutil.cpu_percent()
        before = _Spent.now(process_id)
        turns = [turn for some in await asyncio.gather(*map(converse, range(count))) for turn in some]
        after = _Spent.now(process_id)
        busy = psutil.cpu_percent() / 100
        memory = await asyncio.to_thread(_pss_megabytes, process_id)
        late = max(seat.line.latest_frame_seconds for seat in seats)
    return Step(
        system=name,
        calls=count,
        v2v=tuple(turn.v2v for turn in turns if turn.v2v is not None),
        failed=sum(turn.v2v is None and not turn.cut_off for turn in turns),
        cores=(after.cpu_seconds - before.cpu_seconds) / (after.seconds - before.seconds),
        pss_megabytes=memory,
        machine_busy=busy,
        harness_late_seconds=late,
    )


# --- judging: pure ---------------------------------------------------------------------------------------------------


def report(steps: Sequence[Step], settings: dict[str, Any]) -> Report:
    found = Report("load", settings, rounds=[asdict(step) for step in steps])
    by_system = {
        name: [step for step in steps if step.system == name] for name in dict.fromkeys(s.system for s in steps)
    }
    for peer in [name for name in by_system if name != "ours"]:
        if "ours" in by_system:
            found.lines += _compare(by_system["ours"], by_system[peer], peer)
    for name, own in by_system.items():
        for step in own:
            found.notes.append(
                f"{name}, {step.calls} calls: v2v p50 {quantile(step.v2v, 0.5) * 1000:.0f} ms, p95 "
                f"{quantile(step.v2v, 0.95) * 1000:.0f} ms; {step.failed} unanswered; {step.cores:.2f} cores; "
                f"{step.pss_megabytes:.0f} MB PSS; machine {step.machine_busy * 100:.0f} % busy; frames at most "
                f"{step.harness_late_seconds * 1000:.0f} ms late"
            )
    return found


def _compare(ours: Sequence[Step], theirs: Sequence[Step], peer: str) -> list[Line]:
    """Slopes have no interval: one figure a step. They are a look, and the steps stand beside them."""
    lines = []
    for metric, name, unit in (
        ("CPU of one more call", "cores", "core"),
        ("memory of one more call", "pss_megabytes", "MB"),
    ):
        own, other = (slope([s.calls for s in side], [getattr(s, name) for s in side]) for side in (ours, theirs))
        figure = own / other
        interval = Interval(figure, figure, figure, min(len(ours), len(theirs)))
        lines.append(Line(metric, peer, f"{own:.3f} {unit}", f"{other:.3f} {unit}", interval))
    for mine, its in zip(ours, theirs, strict=False):
        own, other = quantile(mine.v2v, 0.5), quantile(its.v2v, 0.5)
        interval = Interval(own / other, own / other, own / other, min(len(mine.v2v), len(its.v2v)))
        lines.append(
            Line(f"v2v p50, {mine.calls} calls", peer, f"{own * 1000:.0f} ms", f"{other * 1000:.0f} ms", interval)
        )
    return lines
