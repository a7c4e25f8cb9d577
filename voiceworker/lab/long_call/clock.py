"""A clock that stands still while something is done, and leaps to the next timer when everything waits.

Hours pass as fast as their work is done, and a busy machine makes nothing late. It has to be installed before whatever
asks for the time is imported: much takes `time.monotonic` as a default at its definition.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import logging
import multiprocessing
import queue
import selectors
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple, Unpack

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")

# whose deadlines are waited for by the machine's own clock: they take it when they are imported
_BY_REAL_TIME = (concurrent.futures, logging, multiprocessing, queue, ssl, subprocess, threading)

_READING_SECONDS = 2e-7
"that each look at the clock takes, so that no two moments are the same"
_LONG_LEAP_SECONDS = 0.05
_GRACE_SECONDS = 0.0005
"of real time, ahead of a long leap: for what is on its way through the loopback"
_LOOK_SECONDS = 0.05


class LeapingClock:
    def __init__(self) -> None:
        self._leapt = 0.0
        self._readings = itertools.count()
        self._began_wall = time.time()

    def now(self) -> float:
        """Seconds since the beginning; may be asked in any thread."""
        return self._leapt + next(self._readings) * _READING_SECONDS

    def leap(self, seconds: float) -> None:
        """To be called by the loop's thread alone."""
        self._leapt += seconds

    def install(self) -> None:
        """In place of the clocks of `time`, for the rest of the process."""

        def nanoseconds(clock: Callable[[], float]) -> Callable[[], int]:
            return lambda: round(clock() * 1e9)

        def wall() -> float:
            return self._began_wall + self.now()

        time.monotonic = time.perf_counter = self.now
        time.monotonic_ns = time.perf_counter_ns = nanoseconds(self.now)
        time.time, time.time_ns = wall, nanoseconds(wall)


CLOCK = LeapingClock()
"there is one time in a process"


class LeapingLoop(asyncio.SelectorEventLoop):
    """Does not leap while one of its threads works."""

    def __init__(self) -> None:
        self.working = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return CLOCK.now()

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[_Arguments]], _Result], *args: *_Arguments
    ) -> asyncio.Future[_Result]:
        future = super().run_in_executor(executor, func, *args)
        self.working += 1
        future.add_done_callback(self._worked)
        return future

    def _worked(self, _: object) -> None:
        self.working -= 1


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: LeapingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self._loop.working:
            return super().select(_LOOK_SECONDS)
        if timeout > _LONG_LEAP_SECONDS and (ready := super().select(_GRACE_SECONDS)):
            return ready
        CLOCK.leap(timeout)
        return []
