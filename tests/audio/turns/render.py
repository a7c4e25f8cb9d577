"""Renders what callers say in the turn-taking benches: `lines.yaml` to FLAC files and `manifest.yaml`. Needs flite.

Usage: python tests/audio/turns/render.py      (what is there already is left alone)

A line is spoken in one breath, so that only its real end sounds like one; then it is cut at the breaks that stand for
a pause, each part is trimmed, and the parts are joined with exactly the silence that the line asks for. The word times
are the synthesiser's own: it tells how long it makes every phone. Samples keep 12 of their 16 bits (noise at -77 dB,
as faint as the room's), which halves the files.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import noises
import numpy as np
import soundfile
import soxr
import yaml

HERE = Path(__file__).resolve().parent
RATE = 16_000
VERSION = 2
"Raise it when another rendering of the same lines is wanted."

Signal = noises.Signal
Word = tuple[str, float, float]

_EDGE = 0.02
"-34 dB of the line's peak: where a part begins and ends. Well above what `audio.trim` takes for silence."
_STRONG = 0.07
_FAINT_SECONDS, _LEAD_SECONDS = 0.1, 0.03
"""What stays below -23 dB for longer than this before a word is no part of it: kal's recordings begin with clicks and
a hum, up to 0.2 s of them. The word begins shortly before it is strong."""
_VOWELS = {"aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw"}


@dataclass(frozen=True)
class Phone:
    name: str
    started: float
    ended: float


@dataclass(frozen=True)
class Recipe:
    """One file to make."""

    kind: str
    voice: str
    "for noise: the kind of sound"
    line: str
    "for noise: its number"
    pitch: float = 0
    stretch: float = 1
    level: float = -22
    phones: tuple[tuple[str, str], ...] = ()
    respelled: tuple[tuple[str, str], ...] = ()

    @property
    def slug(self) -> str:
        spoken = re.sub(r"\([\d.]+\)", " ", self.line).lower().replace("'", "")
        return "-".join([self.voice, *re.findall(r"[a-z0-9]+", spoken)[:7]])

    @property
    def file(self) -> str:
        digest = hashlib.sha256(f"{VERSION} {self!r}".encode()).hexdigest()[:6]
        return f"{self.kind}/{self.slug}-{digest}.flac"

    @property
    def tokens(self) -> list[str]:
        """Words without punctuation, and pauses as they stand: `(0.5)`."""
        return [token.rstrip(",") for token in self.line.split()]


def recipes(lines: dict[str, Any]) -> Iterator[Recipe]:
    voices, prosodies = list(lines["voices"]), lines["prosodies"]
    phones, respelled = tuple(lines["phones"].items()), tuple(lines["respelled"].items())
    for kind in ("turn", "interruption", "backchannel", "side_remark"):
        twice, once = lines[kind].get("twice", []), lines[kind]["once"]
        for number, line in enumerate(twice + once + twice):
            again = number >= len(twice) + len(once)
            # a second time by another voice than the first
            place = (number - len(twice) - len(once) + 2 if again else number) % len(voices)
            voice, prosody = voices[place], prosodies[number % len(prosodies)]
            settings = lines["voices"][voice]
            yield Recipe(
                kind,
                voice,
                line,
                round(settings["pitch"] * prosody["pitch"], 1),
                round(settings["stretch"] * prosody["stretch"] * (lines["alone"] if " " not in line else 1), 3),
                lines["levels"][kind],
                tuple((word, said) for word, said in phones if word in line.split()),
                tuple((word, said) for word, said in respelled if word in line.split()),
            )
    for sound, count in lines["noise"].items():
        for number in range(count):
            yield Recipe("noise", sound, str(number + 1), level=lines["levels"]["noise"])


def flite(text: str, voice: str, *settings: str) -> tuple[Signal, list[Phone]]:
    """Speech at RATE and its phones; `text` may be SSML."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "line.txt"), Path(folder, "line.wav")
        source.write_text(text)
        markup = ["-ssml"] if text.startswith("<") else []
        command = ["flite", "-voice", voice, *settings, *markup, "-psdur", "-f", str(source), "-o", str(target)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        samples, rate = soundfile.read(target)
    ends = [(name, float(end)) for name, end in (item.split(":") for item in told.split())]
    starts = [0.0, *(end for _, end in ends)]
    phones = [Phone(name, start, end) for (name, end), start in zip(ends, starts, strict=False)]
    return (samples if rate == RATE else soxr.resample(samples, rate, RATE)), phones


@cache
def phones_of(word: str) -> tuple[str, ...]:
    """As flite says the word alone."""
    return tuple(phone.name for phone in flite(word, "slt")[1] if phone.name != "pau")


def spoken(recipe: Recipe) -> tuple[Signal, list[Phone], list[tuple[str, ...]]]:
    """The line without its pauses but with a break at each, its phones, and every word's phones by themselves."""
    special, respelled = dict(recipe.phones), dict(recipe.respelled)
    said = re.sub(r",?\s*\([\d.]+\)", ",", recipe.line)
    for word, other in respelled.items():
        said = re.sub(rf"\b{word}\b", other, said)
    if special:
        marked = (
            f'<phoneme ph="{special[word.rstrip(",")]}">x</phoneme>{"," * word.endswith(",")}'
            if word.rstrip(",") in special
            else word
            for word in said.split()
        )
        said = f"<speak>{' '.join(marked)}</speak>"
    settings = ("--setf", f"int_f0_target_mean={recipe.pitch}", "--setf", f"duration_stretch={recipe.stretch}")
    samples, phones = flite(said, recipe.voice, *settings)
    words = [token for token in recipe.tokens if not token.startswith("(")]
    alone = [
        tuple(special[word].split()) if word in special else phones_of(respelled.get(word, word)) for word in words
    ]
    return samples, phones, alone


def word_of_each(heard: list[str], alone: list[tuple[str, ...]]) -> list[int]:
    """Which word each phone of the line belongs to: the cheapest edit of the words' own phones into the line's."""
    wanted = [(phone, number) for number, word in enumerate(alone) for phone in word]

    def difference(one: str, other: str) -> float:
        return 0 if one == other else 0.6 if {one, other} <= _VOWELS else 1.5

    cost = np.add.outer(np.arange(len(heard) + 1.0), np.arange(len(wanted) + 1.0))
    for i, phone in enumerate(heard, 1):
        for j, (other, _) in enumerate(wanted, 1):
            cost[i, j] = min(cost[i - 1, j - 1] + difference(phone, other), cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    if cost[-1, -1] > 1 + len(heard) / 4:
        raise ValueError(f"{' '.join(heard)} is not {' '.join(phone for phone, _ in wanted)}")
    words: list[int] = []
    i, j = len(heard), len(wanted)
    while i:
        if j and cost[i, j] == cost[i - 1, j - 1] + difference(heard[i - 1], wanted[j - 1][0]):
            words.append(wanted[j - 1][1])
            i, j = i - 1, j - 1
        elif cost[i, j] == cost[i - 1, j] + 1:
            words.append(wanted[max(0, j - 1)][1])
            i -= 1
        else:
            j -= 1
    return words[::-1]


def word_times(phones: list[Phone], alone: list[tuple[str, ...]]) -> list[tuple[float, float]]:
    sounding = [phone for phone in phones if phone.name != "pau"]
    owners = word_of_each([phone.name for phone in sounding], alone)
    times = []
    for number in range(len(alone)):
        own = [phone for phone, owner in zip(sounding, owners, strict=True) if owner == number]
        if not own:
            raise ValueError(f"word {number + 1} is not heard")
        times.append((own[0].started, own[-1].ended))
    return times


def edges(samples: Signal, begin: int, end: int, peak: float) -> tuple[int, int]:
    """Where speech begins and ends between two samples of a line with this peak."""
    part = np.abs(samples[begin:end])
    loud = np.flatnonzero(part > _EDGE * peak)
    strongest = np.flatnonzero(part > _STRONG * peak)
    # five such samples within 20 ms: a click has fewer
    lasting = np.flatnonzero(strongest[4:] - strongest[:-4] < 0.02 * RATE)
    first, strong = int(loud[0]), int(strongest[lasting[0]])
    if strong - first > _FAINT_SECONDS * RATE:
        nearby = loud[loud >= strong - _LEAD_SECONDS * RATE]
        first = int(nearby[0])
    return begin + first, begin + int(loud[-1]) + 1


def speak(recipe: Recipe) -> tuple[Signal, list[Word]]:
    """The line with its pauses, and when its words are said."""
    samples, phones, alone = spoken(recipe)
    if recipe.kind == "side_remark":
        samples = from_aside(samples)
    times = word_times(phones, alone)
    peak = float(np.abs(samples).max())
    groups: list[tuple[list[str], float]] = []
    words: list[str] = []
    for token in [*recipe.tokens, "(0)"]:
        if token.startswith("("):
            groups.append((words, float(token[1:-1])))
            words = []
        else:
            words.append(token)
    parts: list[Signal] = []
    placed: list[Word] = []
    first, length = 0, 0
    middles = [(before[1] + after[0]) / 2 for before, after in pairwise(times)]
    for group, pause in groups:
        last = first + len(group) - 1
        if pause and times[last + 1][0] - times[last][1] < 0.05:
            raise ValueError(f"no break after {group[-1]!r}")
        begin, end = edges(
            samples,
            round(middles[first - 1] * RATE) if first else 0,
            round(middles[last] * RATE) if last < len(middles) else len(samples),
            peak,
        )
        for number, word in enumerate(group, first):
            # a part sounds from its first word's start to its last word's end
            start = begin if number == first else times[number][0] * RATE
            stop = end if number == last else times[number][1] * RATE
            placed.append((word, (length + start - begin) / RATE, (length + stop - begin) / RATE))
        silence = round(pause * RATE)
        parts += [samples[begin:end], np.zeros(silence)]
        length += end - begin + silence
        first = last + 1
    return np.concatenate(parts), placed


def levelled(samples: Signal, decibels: float) -> Signal:
    """With the mean of its loud frames (20 ms, within 25 dB of the loudest) at a level, and no peak above -1 dB."""
    whole = samples[: len(samples) // 320 * 320] if len(samples) >= 320 else np.pad(samples, (0, 320 - len(samples)))
    power = np.mean(whole.reshape(-1, 320) ** 2, axis=1)
    loud = float(np.sqrt(np.mean(power[power > power.max() / 316])))
    return samples * min(10 ** (decibels / 20) / loud, 0.89 / float(np.abs(samples).max()))


def from_aside(samples: Signal) -> Signal:
    """As heard from a head that is turned away: duller."""
    spectrum = np.fft.rfft(samples, 2 * len(samples))
    gain = 1 / np.sqrt(1 + (np.fft.rfftfreq(2 * len(samples), 1 / RATE) / 1500) ** 2)
    return np.fft.irfft(spectrum * gain, 2 * len(samples))[: len(samples)]


def render(recipe: Recipe) -> dict[str, Any]:
    words: list[Word] = []
    if recipe.kind == "noise":
        sound = noises.make(recipe.voice, int(recipe.line) - 1)
        loud = np.flatnonzero(np.abs(sound) > _EDGE * np.abs(sound).max())
        sound = sound[loud[0] : loud[-1] + 1]
    else:
        sound, words = speak(recipe)
    coarse = np.round(levelled(sound, recipe.level) * 2047).clip(-2047, 2047).astype(np.int16) * 16
    target = HERE / recipe.file
    target.parent.mkdir(exist_ok=True)
    soundfile.write(target, coarse, RATE, format="FLAC", subtype="PCM_16", compression_level=1.0)
    return {
        "name": f"{recipe.kind.replace('_', '-')}-{recipe.slug}",
        "kind": recipe.kind,
        "voice": recipe.voice,
        "file": recipe.file,
        "seconds": round(len(coarse) / RATE, 4),
        "words": [[word, round(start, 4), round(end, 4)] for word, start, end in words],
    }


def main() -> None:
    wanted = list(recipes(yaml.safe_load((HERE / "lines.yaml").read_text())))
    manifest = HERE / "manifest.yaml"
    there = yaml.safe_load(manifest.read_text())["speeches"] if manifest.exists() else []
    known = {entry["file"]: entry for entry in there if (HERE / entry["file"]).exists()}
    entries = []
    for recipe in wanted:
        try:
            entries.append(known.get(recipe.file) or render(recipe))
        except ValueError as error:
            raise SystemExit(f"{recipe.line} ({recipe.voice}): {error}") from error
    names = [entry["name"] for entry in entries]
    if doubles := {name for name in names if names.count(name) > 1}:
        raise SystemExit(f"names are not unique: {', '.join(sorted(doubles))}")
    for stale in set(HERE.glob("*/*.flac")) - {HERE / recipe.file for recipe in wanted}:
        stale.unlink()
    # one entry a line
    rows = (
        yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
        for entry in entries
    )
    text = "".join(f"- {row}" for row in rows)
    manifest.write_text(
        f"# Made by render.py from lines.yaml. Words: [text, start, end] in seconds.\nspeeches:\n{text}"
    )


if __name__ == "__main__":
    main()
