import json
from pathlib import Path

import pytest

from voiceworker.lab.bench.report import Goal, Line, Report, plot_distributions, plot_shares
from voiceworker.lab.bench.stats import Interval, share_of


@pytest.mark.parametrize(
    ("interval", "goal", "verdict"),
    [
        (Interval(0.5, 0.45, 0.6, 30), Goal(0.6), "met"),
        (Interval(0.5, 0.45, 0.61, 30), Goal(0.6), "open"),
        (Interval(0.7, 0.65, 0.8, 30), Goal(0.6), "missed"),
        (Interval(0.95, 0.9, 0.98, 120), Goal(0.9, at_least=True), "met"),
        (Interval(0.8, 0.7, 0.89, 120), Goal(0.9, at_least=True), "missed"),
        (Interval(float("nan"), float("nan"), float("nan"), 0), Goal(1), "no data"),
    ],
)
def test_a_goal_is_met_only_when_the_whole_interval_lies_beyond_it(
    interval: Interval, goal: Goal, verdict: str
) -> None:
    assert Line("v2v p50", "livekit", "300 ms", "600 ms", interval, goal).verdict == verdict


def test_a_report_can_be_read_by_people_and_by_programs(tmp_path: Path) -> None:
    report = Report("latency", {"pairs": 2, "delays": "typical"})
    report.lines.append(Line("v2v p50", "livekit", "300 ms", "600 ms", Interval(0.5, 0.4, 0.55, 30), Goal(0.6)))
    report.lines.append(Line("v2v p95", "pipecat", "-", "-", Interval(*[float("nan")] * 3, 0)))
    report.notes.append("one turn was not answered")
    report.rounds.append({"round": 0, "ours": 0.3, "livekit": float("inf")})
    report.write(tmp_path / "new")
    body = json.loads((tmp_path / "new" / "report.json").read_text())
    assert body["lines"][0]["verdict"] == "met"
    assert body["lines"][1]["interval"]["value"] is None
    assert body["rounds"][0]["livekit"] is None
    text = (tmp_path / "new" / "report.md").read_text()
    assert "| v2v p50 | 300 ms | livekit | 600 ms | 0.50 (0.40-0.55) | 30 | <= 0.6 | met |" in text
    assert "- one turn was not answered" in text


def test_plots_are_written_without_a_display(tmp_path: Path) -> None:
    plot_distributions(tmp_path / "a.png", "first audio", "ms", {"ours": [300.0, 320.0], "livekit": [700.0]})
    plot_shares(tmp_path / "b.png", "still talking", {"backchannel": {"ours": share_of(9, 10)}})
    for name in ("a.png", "b.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
