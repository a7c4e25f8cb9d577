"""docs/turn-taking.md says what the code does: its example loads, every word is named, every figure is the policy's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from voiceworker.config import ROOT, OverlapTable, TurnSettings, load_agent
from voiceworker.policy import overlap
from voiceworker.policy.eagerness import Eagerness, turn_timing
from voiceworker.policy.end_of_turn import EndOfTurnSettings, Patience
from voiceworker.policy.latency import PARTS

TEXT = (ROOT / "docs" / "turn-taking.md").read_text(encoding="utf-8")
VOICE_DETECTOR_SECONDS = 0.25


def test_the_example_of_the_handbook_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "desk.yaml"
    path.write_text("name: desk\ninstructions: Be kind.\ngreeting: Hello.\n" + example, encoding="utf-8")
    assert load_agent(path).turns.overlap.backchannels == ("righty-ho", "fair point")


@pytest.mark.parametrize(
    "word",
    [
        *(name for name in TurnSettings.model_fields if name != "overlap"),
        *(f"overlap.{name}" for name in OverlapTable.model_fields),
        *get_args(Eagerness),
        *get_args(overlap.Policy),
        *get_args(overlap.Situation),
        *get_args(overlap.RestoreReason),
        *PARTS,
    ],
)
def test_the_handbook_names_every_key_value_reason_and_part(word: str) -> None:
    assert f"`{word}`" in TEXT


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("closed", "closed"),
        ("complete", "complete"),
        ("neutral: it", "neutral"),
        ("neutral, of digits", "grouped"),
        ("dictating", "dictating"),
        ("unfinished", "unfinished"),
    ],
)
def test_the_handbooks_waits_are_the_policys(row: str, kind: str) -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith(f"| {row}"))
    cells = line.strip("| ").split(" | ")[-3:]
    for eagerness, cell in zip(("eager", "balanced", "patient"), cells, strict=True):
        settings = EndOfTurnSettings().paced(turn_timing(eagerness, "de").pace)  # type: ignore[arg-type]
        patience: Patience = getattr(settings, kind)
        said = [float(figure) for figure in re.findall(r"\d+\.\d+", cell)]
        true = [max(VOICE_DETECTOR_SECONDS, seconds) for seconds in (patience.soonest_seconds, patience.latest_seconds)]
        assert [said[0], said[-1]] == pytest.approx(true, abs=0.05), (row, eagerness)
