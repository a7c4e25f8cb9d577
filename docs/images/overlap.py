"""Draws overlap.png: what policy/overlap makes of a "mm-hmm", a cough and a "stop" said over the agent.

    .venv/bin/python docs/images/overlap.py

The decisions are the policy's own, the callers are recordings of tests/audio/turns with their true words. The delays
around them are fixed below: no call is made, and the picture comes out the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt

from voiceworker.config import ROOT
from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.emulators.delays import TYPICAL
from voiceworker.lab.material import load_material, samples_of
from voiceworker.lab.speech import Speech
from voiceworker.policy.backchannels import Backchannels, lexicon_of
from voiceworker.policy.overlap import Cut, Duck, Overlap, OverlapSettings, Restore
from voiceworker.runtime.call_sink import DUCKED_GAIN
from voiceworker.runtime.turn_taking import VAD_SILENCE_SECONDS

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

WAY_IN_SECONDS, WAY_OUT_SECONDS = 0.04, 0.06
"a local network: from the mouth to the worker, from a command to the ear"
VOICE_SECONDS = 0.09
"of a voice, until the voice detector says so"
FADE_SECONDS = {1.0: 0.01, DUCKED_GAIN: 0.01, 0.0: 0.02}
BEFORE_SECONDS, AFTER_SECONDS = 0.25, 1.6
PANELS = (
    ("backchannel-slt-mm-hmm", "“mm-hmm”: goes on", "a listener's word"),
    ("noise-cough-5", "a cough: goes on", "over, and no word"),
    ("interruption-slt-stop", "“stop”: stops", "the word “stop”"),
)
AGENT, CALLER, INK = "#3b6fb6", "#c4741a", "#24292f"
Event = tuple[float, Callable[[Overlap, float], object]]


def events_of(speech: Speech) -> list[Event]:
    """What the worker hears of it, in seconds since the caller's first sample."""
    begun, ended = WAY_IN_SECONDS, WAY_IN_SECONDS + speech.seconds
    events: list[Event] = [
        (-1.0, lambda overlap, at: overlap.agent_started(at)),
        (begun + VOICE_SECONDS, lambda overlap, at: overlap.caller_started(at)),
        (
            ended + VAD_SILENCE_SECONDS,
            lambda overlap, at: overlap.caller_stopped(at, quiet_seconds=VAD_SILENCE_SECONDS),
        ),
    ]
    if speech.words:
        interims = np.arange(begun + TYPICAL.first_interim_seconds, ended, TYPICAL.interim_every_seconds)
        events += [(float(at), lambda overlap, at: overlap.transcript(at, speech.text, final=False)) for at in interims]
        final_at = ended + TYPICAL.final_seconds
        events.append((final_at, lambda overlap, at: overlap.transcript(at, speech.text, final=True)))
    return sorted(events, key=lambda event: event[0])


def gains_of(speech: Speech) -> list[tuple[float, float]]:
    """When the agent's voice changes at the caller's ear, and to which gain."""
    overlap = Overlap(OverlapSettings(), Backchannels(lexicon_of("en")))
    events, changes = events_of(speech), []
    while events or overlap.deadline() is not None:
        deadline = overlap.deadline()
        if deadline is None or (events and events[0][0] <= deadline):
            now, happen = events.pop(0)
            happen(overlap, now)
        else:
            now = deadline
        for command in overlap.due(now):
            match command:
                case Duck():
                    changes.append((now + WAY_OUT_SECONDS, DUCKED_GAIN))
                case Restore():
                    changes.append((now + WAY_OUT_SECONDS, 1.0))
                case Cut():
                    changes.append((now + WAY_OUT_SECONDS, 0.0))
    return changes


def envelope(samples: npt.NDArray[np.int16]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Moments and peaks (0 to 1) of every 10 ms."""
    window = SAMPLE_RATE // 100
    frames = np.abs(samples[: len(samples) // window * window].astype(np.float64)).reshape(-1, window).max(axis=1)
    return np.arange(len(frames)) / 100, frames / frames.max()


def draw(axes: Axes, speech: Speech, title: str, because: str) -> None:
    times, levels = [-BEFORE_SECONDS], [1.0]
    for at, gain in gains_of(speech):
        times += [at, at + FADE_SECONDS[gain]]
        levels += [levels[-1], gain]
        reason = {DUCKED_GAIN: "a voice", 1.0: because, 0.0: because}[gain]
        aside: dict[str, Any] = {"ha": "right", "xytext": (-3, 0)} if gain == DUCKED_GAIN else {"xytext": (3, 0)}
        axes.annotate(
            f"{at * 1000:.0f} ms\n{reason}",
            (at, 1.06),
            textcoords="offset points",
            color=INK,
            fontsize=7.5,
            va="bottom",
            **aside,
        )
        axes.plot([at, at], [-0.95, 1.06], color=INK, linewidth=0.6, linestyle=":")
    axes.fill_between([*times, AFTER_SECONDS], [*levels, levels[-1]], color=AGENT, linewidth=0)
    moments, peaks = envelope(samples_of(speech))
    axes.fill_between(moments, -0.5 - 0.4 * peaks, -0.5 + 0.4 * peaks, color=CALLER, linewidth=0)
    axes.set_title(title, color=INK, fontsize=10, loc="left", pad=4)
    axes.set(xlim=(-BEFORE_SECONDS, AFTER_SECONDS), ylim=(-1, 1.5), xticks=[0, 0.5, 1, 1.5])
    axes.tick_params(colors=INK, labelsize=8)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def main() -> None:
    material = load_material(ROOT / "tests" / "audio" / "turns")
    figure, panels = pyplot.subplots(1, len(PANELS), figsize=(9, 2.9), sharey=True, layout="constrained")
    # a ground of its own: the page around it may be dark
    figure.set_facecolor("#ffffff")
    for axes, (name, title, because) in zip(panels, PANELS, strict=True):
        draw(axes, material.named(name), title, because)
    panels[0].set_yticks([1, DUCKED_GAIN, 0, -0.5], ["agent, as usual", "lowered by 12 dB", "silent", "caller"])
    panels[1].set_xlabel("seconds since the caller began, as the caller hears it", color=INK, fontsize=8)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
