"""What a bench leaves behind: `report.json`, `report.md` and plots, in a folder of its own."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from voiceworker.lab.bench.stats import Interval

Verdict = Literal["met", "missed", "open", "no data"]
"""met: the whole interval lies on the right side of the goal. missed: the whole interval lies on the wrong side.
open: the interval holds the goal. A figure without a goal has no verdict."""


@dataclass(frozen=True, slots=True)
class Goal:
    bound: float
    at_least: bool = False
    "False: the figure must be at most the bound"

    def judge(self, interval: Interval) -> Verdict:
        if interval.pairs == 0 or math.isnan(interval.value):
            return "no data"
        good, bad = (
            (interval.low >= self.bound, interval.high < self.bound)
            if self.at_least
            else (interval.high <= self.bound, interval.low > self.bound)
        )
        return "met" if good else "missed" if bad else "open"

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table: a figure of ours, mostly as a ratio to a peer's."""

    metric: str
    peer: str
    "empty: a figure of ours alone"
    ours: str
    "as a person reads it, with its unit"
    theirs: str
    interval: Interval
    goal: Goal | None = None

    @property
    def verdict(self) -> Verdict | None:
        return self.goal.judge(self.interval) if self.goal is not None else None


@dataclass(slots=True)
class Report:
    name: str
    "latency | bargein | selectivity | cutoff | join | load | path"
    settings: dict[str, Any]
    "what was run: delays, arms, pairs, versions, machine"
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    "what a reader must know: an invalid calibration, unanswered turns, ends of speech that were judged wrong"
    rounds: list[dict[str, Any]] = field(default_factory=list)
    "every single measurement, as it was taken"

    def to_json(self) -> str:
        body = {
            "name": self.name,
            "settings": self.settings,
            "lines": [_line_body(line) for line in self.lines],
            "notes": self.notes,
            "rounds": self.rounds,
        }
        return json.dumps(_finite(body), indent=1, default=str)

    def to_markdown(self) -> str:
        said = ", ".join(f"{key} {value}" for key, value in self.settings.items())
        parts = [f"# bench {self.name}", "", said, "", markdown_table(self.lines)]
        if self.notes:
            parts += ["", *[f"- {note}" for note in self.notes]]
        return "\n".join(parts) + "\n"

    def write(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "report.json").write_text(self.to_json() + "\n", encoding="utf-8")
        (directory / "report.md").write_text(self.to_markdown(), encoding="utf-8")


def markdown_table(lines: Sequence[Line]) -> str:
    rows = [
        "| metric | ours | peer | its figure | ratio or share (95 % interval) | n | goal | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        goal, verdict = (str(line.goal), str(line.verdict)) if line.goal else ("", "")
        cells = [line.metric, line.ours, line.peer, line.theirs, _interval_text(line.interval)]
        rows.append("| " + " | ".join([*cells, str(line.interval.pairs), goal, verdict]) + " |")
    return "\n".join(rows)


def _interval_text(interval: Interval) -> str:
    if math.isnan(interval.value):
        return "-"
    return f"{interval.value:.2f} ({interval.low:.2f}-{interval.high:.2f})"


def _line_body(line: Line) -> dict[str, Any]:
    return dataclasses.asdict(line) | {"verdict": line.verdict}


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null stands for them."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


# --- plots -----------------------------------------------------------------------------------------------------------


def plot_distributions(path: Path, title: str, unit: str, values: Mapping[str, Sequence[float]]) -> None:
    """The share of measurements at or below each value, a line for each system, as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name, sample in values.items():
        ordered = sorted(sample)
        shares = [(index + 1) / len(ordered) for index in range(len(ordered))]
        axes.step(ordered, shares, where="post", label=f"{name} (n={len(ordered)})")
    axes.set(title=title, xlabel=unit, ylabel="share at or below", ylim=(0, 1.02))
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def plot_shares(path: Path, title: str, values: Mapping[str, Mapping[str, Interval]]) -> None:
    """Bars with 95 % intervals as PNG: a group for each kind, a bar for each system; {kind: {system: share}}."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    systems = list(dict.fromkeys(name for shares in values.values() for name in shares))
    width = 0.8 / max(1, len(systems))
    for place, name in enumerate(systems):
        bars = [(index, shares[name]) for index, shares in enumerate(values.values()) if name in shares]
        spots = [index + (place - (len(systems) - 1) / 2) * width for index, _ in bars]
        heights = [share.value * 100 for _, share in bars]
        below = [max(0.0, (share.value - share.low) * 100) for _, share in bars]
        above = [max(0.0, (share.high - share.value) * 100) for _, share in bars]
        axes.bar(spots, heights, width * 0.9, yerr=[below, above], capsize=3, label=name)
    axes.set(title=title, ylabel="%", ylim=(0, 105))
    axes.set_xticks(range(len(values)), list(values))
    axes.grid(axis="y", alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
