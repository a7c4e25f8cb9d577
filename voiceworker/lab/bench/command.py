"""`voiceworker bench ...`: ours beside its peers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from voiceworker.config import ROOT, ConfigError
from voiceworker.lab.bench import latency as latency_bench
from voiceworker.lab.bench.report import Report, plot_distributions
from voiceworker.lab.bench.rig import DELAYS, Options, Rig
from voiceworker.lab.bench.speeches import turns
from voiceworker.lab.invitation import CallSetupError

RESULTS = ROOT / "bench" / "results"

bench_app = typer.Typer(help="Measure ours beside its peers, as callers hear them.", no_args_is_help=True)

Systems = Annotated[str, typer.Option("--systems", help="Who takes part, with commas; ours comes first.")]
DelayOption = Annotated[str, typer.Option("--delays", help="Of the emulated providers: typical, fast or slow.")]
PairOption = Annotated[int, typer.Option("--pairs", help="How many rounds; each system is measured once in each.")]
VadOption = Annotated[bool, typer.Option("--vad", help="Force the voice detector to decide the end of turns, for all.")]
QuickOption = Annotated[bool, typer.Option("--quick", help="A look in under three minutes: few rounds, no claims.")]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed draws the same order and replies.")]
OutputOption = Annotated[Path | None, typer.Option("--output", help="Folder of the report.")]

_SYSTEMS = "ours,livekit,pipecat"


@bench_app.command()
def latency(
    systems: Systems = _SYSTEMS,
    delays: DelayOption = "typical",
    pairs: PairOption = 30,
    vad: VadOption = False,
    quick: QuickOption = False,
    seed: SeedOption = 1,
    output: OutputOption = None,
) -> None:
    """First audio: from the caller's last sample sent to the agent's first audible sample received."""
    options = _options(systems, delays, vad, seed)
    report = _run(options, lambda rig: latency_bench.run(rig, turns(), 6 if quick else pairs))
    directory = _write(report, output)
    values: dict[str, list[float]] = {name: [] for name in options.systems}
    for turn in report.rounds:
        if turn["v2v"] is not None:
            values[turn["system"]].append(turn["v2v"] * 1000)
    plot_distributions(directory / "latency.png", "first audio after the caller's last sample", "ms", values)


# --- for all ---------------------------------------------------------------------------------------------------------


def _options(systems: str, delays: str, vad: bool, seed: int, **more: int) -> Options:
    if delays not in DELAYS:
        raise ConfigError(f"--delays: {delays!r} is none of {', '.join(DELAYS)}")
    names = tuple(name.strip() for name in systems.split(",") if name.strip())
    return Options(systems=names, delays=delays, vad=vad, seed=seed, say=typer.echo, **more)


def _run(options: Options, experiment: Callable[[Rig], Awaitable[Report]]) -> Report:
    async def whole() -> Report:
        async with Rig(options) as rig:
            report = await experiment(rig)
            if rig.calibrations and not rig.transit.valid:
                report.notes.insert(0, f"THIS RUN IS NOT VALID: transit {rig.transit}")
            return report

    try:
        return asyncio.run(whole())
    except CallSetupError as error:
        raise ConfigError(str(error)) from None


def _write(report: Report, output: Path | None) -> Path:
    directory = output or RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}-{report.name}"
    report.write(directory)
    typer.echo(report.to_markdown())
    typer.echo(f"written to {directory}")
    return directory
