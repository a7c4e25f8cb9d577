"""A child process that cannot outlive us: its output line by line, an orderly end, a hard one when it does not obey."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

logger = logging.getLogger("voiceworker.stack")

_PR_SET_PDEATHSIG = 1
_LONGEST_LINE_BYTES = 1 << 20


def _die_with_parent() -> None:
    """Runs in the child before exec: when `voiceworker up` itself is killed, the kernel ends the child (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class ChildProcess:
    """One program that we run, in a session of its own: Ctrl-C reaches us alone, and we choose the order of the end."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
        assert process.stdout is not None
        self.name = name
        self.last_line = ""
        "of its output; what a program says last before it ends is mostly why"
        self._process = process
        self._on_line = on_line
        self._reader = asyncio.create_task(self._read(process.stdout), name=f"output of {name}")  # noqa: TID251

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        directory: Path,
        on_line: Callable[[str], None],
    ) -> ChildProcess:
        """Starts the program. `on_line` gets each line of its standard output and error, without the newline."""
        process = await asyncio.create_subprocess_exec(
            *[str(part) for part in command],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
            preexec_fn=_die_with_parent,
            limit=_LONGEST_LINE_BYTES,
        )
        return cls(name, process, on_line)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def wait(self) -> int:
        """The exit status, once the process has ended and its last line has been read."""
        status = await self._process.wait()
        await asyncio.wait([self._reader])
        return status

    async def stop(self, *, within_seconds: float, asking: int = 1) -> int:
        """SIGTERM, as often as `asking` says within the time; then SIGKILL to its whole group. The exit status."""
        for _ in range(asking):
            if not self.running:
                break
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_seconds / asking):
                    await self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # what the process itself has left behind
        return await self.wait()

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # a line over the limit: the stream dropped it
                continue
            if not line:
                return
            text = line.decode("utf-8", errors="replace").rstrip("\n")
            self.last_line = text.strip() or self.last_line
            try:
                self._on_line(text)
            except Exception:  # whatever a log does, the pipe must be read, or the child stops at its own output
                logger.exception("a line of %s was not shown", self.name)
