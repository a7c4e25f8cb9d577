"""Renders every line of the scenarios by flite: FLAC, 16 kHz mono, one file a line and voice. Needs flite and sox.

Usage: python tests/audio/scenarios/render.py      (what is there already is left alone)
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

from voiceworker.lab.persona import normalise, read_scenarios

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE.parents[1] / "scenarios" / "bookings.yaml"
VOICES = ("slt", "rms", "awb")


def file_of(voice: str, line: str) -> Path:
    """Where a line of a voice lies; the name tells what it says."""
    words = "-".join(normalise(line).replace("'", "").split()[:6])
    return HERE / voice / f"{words}-{hashlib.sha256(line.encode()).hexdigest()[:6]}.flac"


def render(voice: str, line: str) -> None:
    target = file_of(voice, line)
    if target.exists():
        return
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        speech = f"{folder}/speech.wav"
        subprocess.run(["flite", "-voice", voice, "-t", line, "-o", speech], check=True)
        # -D: no dither, so that a second rendering gives the same samples
        subprocess.run(["sox", "-D", speech, "-r", "16000", "-c", "1", "-b", "16", "-C", "8", target], check=True)


if __name__ == "__main__":
    lines = {line for scenario in read_scenarios(SCENARIOS) for line in scenario.lines()}
    wanted = {file_of(voice, line) for voice in VOICES for line in lines}
    for voice in VOICES:
        for line in sorted(lines):
            render(voice, line)
    for stale in set(HERE.glob("*/*.flac")) - wanted:
        stale.unlink()
