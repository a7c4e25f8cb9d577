"""A booking with no network: everything runs, and not one packet tries to leave."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from voiceworker.config import ROOT, load_settings
from voiceworker.stack.sfu import find_sfu

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

HERE = ROOT / "tests" / "system"


async def test_a_booking_works_with_no_network_and_nothing_leaves() -> None:
    await asyncio.to_thread(find_sfu, load_settings())  # built before, while there is a network
    process = await asyncio.create_subprocess_exec(
        "bash",
        str(HERE / "offline.sh"),
        sys.executable,
        str(HERE / "offline_booking.py"),
        cwd=ROOT,
        env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(240):
        output, _ = await process.communicate()
    lines = output.decode().splitlines()
    print("\n".join(lines[-60:]))
    assert "booked" in lines
    assert lines[-1] == "packets that left: 0"
    assert process.returncode == 0
