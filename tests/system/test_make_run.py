"""The README's first command, word for word: from `make run` to a spoken answer that a browser hears."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from pathlib import Path

import pytest
from browser import browser, spaced
from joining import until
from playwright.async_api import expect
from rig import private_environment

from voiceworker.config import ROOT

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


async def test_make_run_ends_in_a_spoken_conversation_in_the_browser(tmp_path: Path) -> None:
    question = spaced(
        ROOT / "tests" / "audio" / "hours.wav", tmp_path / "question.wav", before_seconds=8, after_seconds=12
    )
    started_at = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        "make",
        "run",
        cwd=ROOT,
        env=private_environment(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    said: list[str] = []

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            said.append(line.decode())

    reading = asyncio.ensure_future(read())
    try:
        await until(lambda: "Ctrl-C ends it" in "".join(said), within_seconds=300)
        address = re.search(r"http://127\.0\.0\.1:\d+", "".join(said))
        assert address is not None
        async with browser(question) as chromium:
            page = await chromium.new_page()
            await page.goto(address.group())
            await page.get_by_role("button", name="Talk", exact=True).click()
            words = page.get_by_role("region", name="Transcript")
            await expect(words).to_contain_text("nine to six", timeout=60_000)
            print(f"from make run to the spoken answer: {time.monotonic() - started_at:.1f} s")
    finally:
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
        async with asyncio.timeout(60):
            await process.wait()
    await reading
    assert any("caller says: what are your opening hours" in line for line in said)
