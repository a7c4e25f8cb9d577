from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from voiceworker.stack.process import ChildProcess


async def start(code: str, lines: list[str] | None = None) -> ChildProcess:
    lines = [] if lines is None else lines
    command = [sys.executable, "-u", "-c", code]
    return await ChildProcess.start(
        "child", command, environment=dict(os.environ), directory=Path.cwd(), on_line=lines.append
    )


async def wait_for_line(lines: list[str], text: str) -> None:
    async with asyncio.timeout(20):
        while text not in lines:
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


async def test_output_and_errors_come_line_by_line_and_the_last_without_a_newline() -> None:
    lines: list[str] = []
    child = await start("import sys; print('one'); print('two', file=sys.stderr); sys.stdout.write('three')", lines)
    assert await child.wait() == 0
    assert lines == ["one", "two", "three"]


async def test_a_line_that_is_too_long_is_dropped_and_reading_goes_on() -> None:
    lines: list[str] = []
    child = await start("print('x' * 3_000_000); print('after')", lines)
    await child.wait()
    assert lines[-1] == "after"


async def test_a_child_that_obeys_ends_by_its_own_status() -> None:
    lines: list[str] = []
    code = "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(7))\nprint('ready')\ntime.sleep(60)"
    child = await start(code, lines)
    await wait_for_line(lines, "ready")
    assert await child.stop(within_seconds=10) == 7
    assert not child.running


async def test_a_child_that_does_not_obey_is_killed_with_all_it_started() -> None:
    lines: list[str] = []
    code = (
        "import signal, subprocess, time\nsignal.signal(15, signal.SIG_IGN)\n"
        "print(subprocess.Popen(['sleep', '60']).pid)\nprint('ready')\ntime.sleep(60)"
    )
    child = await start(code, lines)
    await wait_for_line(lines, "ready")
    assert await child.stop(within_seconds=0.3) == -signal.SIGKILL
    async with asyncio.timeout(10):
        while alive(int(lines[0])):
            await asyncio.sleep(0.01)


async def test_a_second_request_reaches_a_child_that_wants_to_be_asked_twice() -> None:
    lines: list[str] = []
    code = (
        "import signal, sys, time\nasked = []\n"
        "signal.signal(15, lambda *_: asked.append(1) or (len(asked) == 2 and sys.exit(3)))\n"
        "print('ready')\nwhile True: time.sleep(0.05)"
    )
    child = await start(code, lines)
    await wait_for_line(lines, "ready")
    assert await child.stop(within_seconds=1, asking=2) == 3


async def test_a_child_dies_when_its_parent_is_killed() -> None:
    code = """
import asyncio, os, sys
from pathlib import Path
from voiceworker.stack.process import ChildProcess
async def main():
    env = dict(os.environ)
    child = await ChildProcess.start("c", ["sleep", "60"], environment=env, directory=Path("/"), on_line=print)
    print(child.pid)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    lines: list[str] = []
    parent = await start(code, lines)
    async with asyncio.timeout(20):
        while not lines:
            await asyncio.sleep(0.01)
    grandchild = int(lines[0])
    assert alive(grandchild)
    os.kill(parent.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while alive(grandchild):
            await asyncio.sleep(0.01)
    await parent.wait()


async def test_a_program_that_is_not_there_is_an_error_at_once() -> None:
    with pytest.raises(FileNotFoundError):
        await ChildProcess.start("x", ["/nowhere/x"], environment={}, directory=Path("/"), on_line=print)
