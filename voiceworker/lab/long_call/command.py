"""Holds the call and writes down, as JSON, what the process held meanwhile."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from voiceworker.lab.emulators import ProviderEmulators
from voiceworker.lab.long_call.call import long_call
from voiceworker.lab.long_call.clock import CLOCK, LeapingLoop
from voiceworker.lab.long_call.conversation import AT_ONCE, FAULTS, FAULTS_OF_RECOGNITION, Caller, Replies, forget
from voiceworker.lab.long_call.samples import Sample, look
from voiceworker.lab.material import load_material

_FIRST_COMPLAINTS = 5
_FAILING_SHARE = 0.25
"of the call, in which connections for recognition fail; within the warm-up"


class _Complaints(logging.Handler):
    """Counts what is logged as a warning or worse, by its text as it stands in the program."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.counted = Counter[str]()
        self.turns: dict[str, list[int]] = {}
        "of the first of each"
        self.turn = 0

    def emit(self, record: logging.LogRecord) -> None:
        text = f"{record.name}: {str(record.msg)[:100]}"
        self.counted[text] += 1
        turns = self.turns.setdefault(text, [])
        if len(turns) < _FIRST_COMPLAINTS:
            turns.append(self.turn)

    def told(self) -> dict[str, Any]:
        return {text: {"times": times, "turns": self.turns[text]} for text, times in self.counted.most_common(20)}


async def held(turns: int, samples: int, seed: int, history_items: int, material: Path, folder: Path) -> dict[str, Any]:
    """The report on one call. Samples are written to a file at once: kept, they would be what grows."""
    taken = folder / "samples"
    replies = Replies(seed)
    logging.getLogger().addHandler(complaints := _Complaints())
    async with (
        ProviderEmulators(delays=AT_ONCE, seed=seed, replies=replies, speech_speed=1000) as emulators,
        long_call(emulators, folder, history_items) as call,
    ):
        emulators.fail_by(*FAULTS, *FAULTS_OF_RECOGNITION, seed=seed)
        caller = Caller(call, emulators, load_material(material), seed)
        longest = Counter[str]()
        for number in range(1, turns + 1):
            complaints.turn = number
            if number == round(turns * _FAILING_SHARE):
                emulators.fail_by(*FAULTS, seed=seed)
            await caller.turn()
            longest |= Counter(call.histories())
            told = max((len(request.messages) for request in emulators.requests), default=0)
            longest |= Counter({"told": told})
            forget(emulators)
            if number % max(1, turns // samples) == 0:
                sample = look(number, CLOCK.now())
                sys.stderr.write(_row(sample, longest))
                with taken.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(sample)) + "\n")
                del sample
        lines = call.records.transcripts.lines(call.name)
    return {
        "turns": turns,
        "happened": dict(caller.happened),
        "tools": dict(replies.tools),
        "longest": dict(longest),
        "transcript_lines": len(lines),
        "complaints": complaints.told(),
        "samples": [json.loads(line) for line in taken.read_text(encoding="utf-8").splitlines()],
    }


def _row(sample: Sample, longest: Counter[str]) -> str:
    return (
        f"turn {sample.turn:5d}, {sample.hours:5.2f} h: {sample.memory_kilobytes / 1024:7.1f} MB, {sample.objects} "
        f"objects, {sample.tasks} tasks, {sample.threads} threads, {sample.descriptors} descriptors, {dict(longest)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m voiceworker.lab.long_call", description=__doc__)
    parser.add_argument("--turns", type=int, default=2880, help="six a minute: eight hours")
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--history-items", type=int, default=400)
    parser.add_argument("--material", type=Path, default=Path("tests/audio/turns"), help="recorded speech")
    parser.add_argument("--output", type=Path, required=True, help="the report, as JSON")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=LeapingLoop) as runner:
        report = runner.run(
            held(wanted.turns, wanted.samples, wanted.seed, wanted.history_items, wanted.material, Path(folder))
        )
    wanted.output.write_text(json.dumps(report), encoding="utf-8")
