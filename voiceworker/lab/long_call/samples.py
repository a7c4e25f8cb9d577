"""What a process holds, looked at again and again: memory, tasks, threads, files, and the length of every container."""

from __future__ import annotations

import asyncio
import gc
import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

OWNERS = ("voiceworker.runtime.", "voiceworker.policy.", "voiceworker.records.", "livekit.")
"modules whose objects are looked into"


@dataclass(frozen=True, slots=True)
class Sample:
    turn: int
    hours: float
    "of the call"
    memory_kilobytes: int
    "of its own: not the files that it maps, whose share changes with who else does"
    tasks: int
    threads: int
    descriptors: int
    objects: int
    "that Python's collector knows"
    sizes: dict[str, int] = field(default_factory=dict)
    "by class and attribute, over all its objects: the length of what it holds; by class alone: how many there are"
    types: dict[str, int] = field(default_factory=dict)
    "how many objects there are of each type, whoever owns it"
    tasks_by_name: dict[str, int] = field(default_factory=dict)


def look(turn: int, seconds: float) -> Sample:
    """Of this process, in its event loop."""
    gc.collect()
    tasks = asyncio.all_tasks()
    objects = gc.get_objects()
    sizes = Counter[str]()
    types = Counter[str]()
    for thing in objects:
        kind = type(thing)
        types[f"{kind.__module__}.{kind.__qualname__}"] += 1
        if str(kind.__module__).startswith(OWNERS):
            sizes[kind.__qualname__] += 1
            for name, length in _lengths(thing):
                sizes[f"{kind.__qualname__}.{name}"] += length
    return Sample(
        turn,
        seconds / 3600,
        _memory_kilobytes(),
        len(tasks),
        len(os.listdir("/proc/self/task")),
        len(os.listdir("/proc/self/fd")),
        len(objects),
        dict(sizes),
        dict(types),
        dict(Counter(task.get_name().rstrip("0123456789") for task in tasks)),
    )


def _lengths(thing: Any) -> Iterator[tuple[str, int]]:
    names = {name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())}
    held = {name: getattr(thing, name, None) for name in names if not name.startswith("__")}
    held |= getattr(thing, "__dict__", {})
    for name, value in held.items():
        if isinstance(value, asyncio.Queue):
            yield name, value.qsize()
        elif isinstance(value, list | dict | set | frozenset | deque | str | bytes | bytearray | np.ndarray):
            yield name, len(value) if not isinstance(value, np.ndarray) else value.size


def _memory_kilobytes() -> int:
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1])
    raise OSError("the kernel does not tell how much memory a process has for itself")
