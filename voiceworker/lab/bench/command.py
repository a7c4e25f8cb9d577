"""`voiceworker bench ...`: ours beside its peers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from voiceworker.config import ROOT, ConfigError
from voiceworker.lab.bench import bargein as bargein_bench
from voiceworker.lab.bench import cutoff as cutoff_bench
from voiceworker.lab.bench import join as join_bench
from voiceworker.lab.bench import latency as latency_bench
from voiceworker.lab.bench import load as load_bench
from voiceworker.lab.bench import path as path_bench
from voiceworker.lab.bench import selectivity as selectivity_bench
from voiceworker.lab.bench.report import Report, plot_distributions, plot_shares
from voiceworker.lab.bench.rig import DELAYS, Options, Rig
from voiceworker.lab.bench.rooms import ARMS, Arm
from voiceworker.lab.bench.speeches import Speeches
from voiceworker.lab.invitation import CallSetupError

RESULTS = ROOT / "bench" / "results"

bench_app = typer.Typer(help="Measure ours beside its peers, as callers hear them.", no_args_is_help=True)

Systems = Annotated[str, typer.Option("--systems", help="Who takes part, with commas; ours comes first.")]
DelayOption = Annotated[str, typer.Option("--delays", help="Of the emulated providers: typical, fast or slow.")]
PairOption = Annotated[int, typer.Option("--pairs", help="How many rounds; each system is measured once in each.")]
VadOption = Annotated[bool, typer.Option("--vad", help="Force the voice detector to decide the end of turns, for all.")]
QuickOption = Annotated[bool, typer.Option("--quick", help="A look in under three minutes: few rounds, no claims.")]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed draws the same order and replies.")]
LogsOption = Annotated[Path | None, typer.Option("--logs", help="Keep what the systems print in this folder.")]
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
    logs: LogsOption = None,
) -> None:
    """First audio: from the caller's last sample sent to the agent's first audible sample received."""
    options, questions = _options(systems, delays, vad, quick, seed, logs), Speeches(seed).whole_turns()
    report = _run(options, lambda rig: latency_bench.run(rig, questions, 6 if quick else pairs))
    directory = _write(report, output)
    values = {name: _milliseconds(report.rounds, name, "v2v") for name in options.systems}
    plot_distributions(directory / "latency.png", "first audio after the caller's last sample", "ms", values)


@bench_app.command()
def bargein(
    systems: Systems = _SYSTEMS,
    delays: DelayOption = "typical",
    pairs: PairOption = 30,
    vad: VadOption = False,
    quick: QuickOption = False,
    seed: SeedOption = 1,
    output: OutputOption = None,
    logs: LogsOption = None,
) -> None:
    """Interruptions of a long reply: when the agent grows softer, when it is silent, what it believes was heard."""
    options = _options(systems, delays, vad, quick, seed, logs, greeting_words=48)
    onsets = (1.5,) if quick else bargein_bench.ONSETS
    rounds = 2 if quick else math.ceil(pairs / len(onsets))
    speeches = Speeches(seed)
    run = partial(bargein_bench.run, questions=speeches.whole_turns(), interruptions=speeches.interruptions())
    report = _run(options, lambda rig: run(rig, rounds=rounds, onsets=onsets))
    directory = _write(report, output)
    later = [trial for trial in report.rounds if not trial["first_reply"]]
    values = {f"{name}, silent": _milliseconds(later, name, "silence") for name in options.systems}
    ducked = {"ours, softer": _milliseconds(later, "ours", "duck")}
    plot_distributions(directory / "bargein.png", "after the caller's first sample", "ms", ducked | values)


@bench_app.command()
def selectivity(
    systems: Systems = _SYSTEMS,
    delays: DelayOption = "typical",
    events: Annotated[int, typer.Option(help="How many of each system in each arm, half of them interruptions.")] = 240,
    arms: Annotated[str, typer.Option(help="quiet, echo, noise; with commas.")] = "quiet,echo,noise",
    vad: VadOption = False,
    quick: QuickOption = False,
    seed: SeedOption = 1,
    output: OutputOption = None,
    logs: LogsOption = None,
) -> None:
    """Listeners' "mm-hmm", coughs and side remarks must not stop the agent; a true interruption must."""
    wanted = tuple(arm.strip() for arm in arms.split(","))
    chosen: tuple[Arm, ...] = tuple(arm for arm in ARMS if arm in wanted)
    if len(chosen) != len(wanted):
        raise ConfigError(f"--arms: each must be one of {', '.join(ARMS)}")
    options = _options(systems, delays, vad, quick, seed, logs)
    speeches = Speeches(seed)
    count, places = (6, chosen[:1]) if quick else (events, chosen)
    run = partial(selectivity_bench.run, questions=speeches.whole_turns(), events=speeches.overlaps(count))
    report = _run(options, lambda rig: run(rig, arms=places))
    directory = _write(report, output)
    found = [
        selectivity_bench.Event(**{key: value for key, value in row.items() if key != "right"}) for row in report.rounds
    ]
    title = "did what a person would do: went on, or stopped for a true interruption"
    plot_shares(directory / "selectivity.png", title, selectivity_bench.shares(found))


@bench_app.command()
def cutoff(
    systems: Systems = _SYSTEMS,
    delays: DelayOption = "typical",
    utterances: Annotated[int, typer.Option(help="How many, each once by every system.")] = 60,
    vad: VadOption = False,
    quick: QuickOption = False,
    seed: SeedOption = 1,
    output: OutputOption = None,
    logs: LogsOption = None,
) -> None:
    """Utterances with pauses inside: who speaks into them, and how long the answers take."""
    options = _options(systems, delays, vad, quick, seed, logs)
    chosen = cutoff_bench.with_pauses(Speeches(seed).paused_turns())[: 4 if quick else utterances]
    report = _run(options, lambda rig: cutoff_bench.run(rig, chosen))
    directory = _write(report, output)
    values = {name: _milliseconds(report.rounds, name, "v2v") for name in options.systems}
    plot_distributions(directory / "cutoff.png", "first audio after utterances with pauses inside", "ms", values)


@bench_app.command()
def join(
    systems: Systems = _SYSTEMS,
    delays: DelayOption = "typical",
    pairs: PairOption = 30,
    quick: QuickOption = False,
    seed: SeedOption = 1,
    output: OutputOption = None,
    logs: LogsOption = None,
) -> None:
    """From asking for a call to hearing the greeting."""
    options = _options(systems, delays, False, quick, seed, logs)
    report = _run(options, lambda rig: join_bench.run(rig, 4 if quick else pairs))
    directory = _write(report, output)
    values = {name: _milliseconds(report.rounds, name, "greeting") for name in options.systems}
    plot_distributions(directory / "join.png", "from the request to the greeting", "ms", values)


@bench_app.command()
def load(
    systems: Systems = _SYSTEMS,
    delays: DelayOption = "typical",
    turns_each: Annotated[int, typer.Option(help="Turns of each call.")] = 8,
    quick: QuickOption = False,
    seed: SeedOption = 1,
    output: OutputOption = None,
    logs: LogsOption = None,
) -> None:
    """1, 2 and 4 calls at once: cores, memory, and first audio."""
    options, questions = _options(systems, delays, False, quick, seed, logs), Speeches(seed).whole_turns()
    counts = (1, 2) if quick else load_bench.CALLS
    report = _run(options, lambda rig: load_bench.run(rig, questions, 2 if quick else turns_each, counts))
    _write(report, output)


@bench_app.command()
def path(
    delays: DelayOption = "typical",
    pairs: PairOption = 30,
    quick: QuickOption = False,
    seed: SeedOption = 1,
    output: OutputOption = None,
) -> None:
    """The way of a sound through the worker, part by part, beside the framework's own."""
    options = _options("", delays, False, quick, seed, None)
    _write(_run(options, lambda rig: path_bench.run(rig, 8 if quick else pairs)), output)


# --- for all ---------------------------------------------------------------------------------------------------------


def _options(systems: str, delays: str, vad: bool, quick: bool, seed: int, logs: Path | None, **more: int) -> Options:
    if delays not in DELAYS:
        raise ConfigError(f"--delays: {delays!r} is none of {', '.join(DELAYS)}")
    names = tuple(name.strip() for name in systems.split(",") if name.strip())
    return Options(
        systems=names,
        delays=delays,
        vad=vad,
        seed=seed,
        logs=logs,
        calibration_clicks=10 if quick else 20,
        say=typer.echo,
        **more,
    )


def _run(options: Options, experiment: Callable[[Rig], Awaitable[Report]]) -> Report:
    async def whole() -> Report:
        async with Rig(options) as rig:
            report = await experiment(rig)
            if rig.calibrations and not rig.transit.valid:
                report.notes.insert(0, f"THIS RUN IS NOT VALID: transit {rig.transit}")
            if unheard := [speech.name for speech in rig.emulators.unheard]:
                report.notes.append(f"no recogniser heard {len(unheard)} utterances: {', '.join(unheard)}")
            late = rig.latest_frame_seconds * 1000
            report.notes.append(f"the bench's own frames were at most {late:.0f} ms late")
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


def _milliseconds(rounds: Sequence[dict[str, Any]], system: str, name: str) -> list[float]:
    return [row[name] * 1000 for row in rounds if row["system"] == system and row[name] is not None]
