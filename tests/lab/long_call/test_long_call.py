"""Calls of hours on a clock that leaps, in a process of their own, each from its first turn to its end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from voiceworker.lab.long_call.growth import Course, courses, growing

ROOT = Path(__file__).parents[3]
PROGRAM = (sys.executable, "-m", "voiceworker.lab.long_call", "--material", str(ROOT / "tests/audio/turns"))

OF_THE_LAB = (
    "sizes: AudioClock",
    "types: voiceworker.lab.",
)
"the providers' side: an emulator of a connection for hours remembers when each of its sounds came"

MOST_KILOBYTES_A_THOUSAND_TURNS = 4096
"""12 MB in eight hours. SQLite's pages take 2 KB a turn until each connection keeps its 2 MB of them; the emulators'
notes of when each sound came take 4 KB until they are full. What leaks is found by name, among objects and
containers."""


def held(folder: Path, *, turns: int, samples: int, history_items: int) -> dict[str, Any]:
    output = folder / "report.json"
    wanted = {"turns": turns, "samples": samples, "history-items": history_items, "output": output}
    options = [text for name, value in wanted.items() for text in (f"--{name}", str(value))]
    subprocess.run([*PROGRAM, *options], cwd=ROOT, check=True)
    report: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return report


def table(found: dict[str, Course]) -> str:
    return "\n".join(
        f"{name}: {one.first:g} -> {one.last:g}, {one.per_thousand_turns:+.1f} in 1000 turns ({one.clearness:.1f})"
        for name, one in found.items()
    )


def judge(report: dict[str, Any], history_items: int) -> None:
    found = courses(report["samples"])
    figures = {name: one for name, one in found.items() if ": " not in name}
    print(f"\n{report['turns']} turns, {report['happened']}, {report['tools']}; longest: {report['longest']}")
    print(table(figures))
    print(report["complaints"])
    assert max(report["longest"].values()) <= history_items
    memory = found.pop("memory_kilobytes")
    assert memory.per_thousand_turns <= MOST_KILOBYTES_A_THOUSAND_TURNS
    rising = growing(found, apart_from=OF_THE_LAB)
    assert not rising, table(rising)
    assert report["happened"].get("unsettled", 0) <= 0.01 * report["turns"]
    assert report["transcript_lines"] > 1.5 * report["turns"]


@pytest.mark.lab
@pytest.mark.timeout(10_800)
def test_a_call_of_eight_hours_holds_no_more_at_its_end_than_after_its_third(tmp_path: Path) -> None:
    judge(held(tmp_path, turns=2880, samples=48, history_items=400), 400)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_few_minutes_of_it_stay_within_the_bound_of_the_history_and_leave_no_task_and_no_file(tmp_path: Path) -> None:
    report = held(tmp_path, turns=40, samples=10, history_items=24)
    assert 20 < report["longest"]["agent"] <= 24
    assert 20 < report["longest"]["told"] <= 24
    assert report["happened"].get("unsettled", 0) == 0
    assert report["tools"]["look_up"]
    found = courses(report["samples"])
    rising = growing({name: found[name] for name in ("tasks", "descriptors")}, least=4.0)
    assert not rising, table(rising)
