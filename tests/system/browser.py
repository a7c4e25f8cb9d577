"""Debian's Chromium as a caller: a WAV file for its microphone, no window, nothing that calls home."""

from __future__ import annotations

import shutil
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from voiceworker.config import ROOT

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
)

_NODE_MODULES = ROOT / "web" / "node_modules"

LIVEKIT_CLIENT = _NODE_MODULES / "livekit-client" / "dist" / "livekit-client.umd.js"
"LiveKit's own client as its makers built it"

AXE = _NODE_MODULES / "axe-core" / "axe.min.js"
"finds what keeps people with disabilities from using a page"


def chromium() -> str:
    """The program; skips the test where it is missing."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    return program


@asynccontextmanager
async def browser(microphone: Path | None) -> AsyncIterator[Browser]:
    """A browser whose microphone plays a file over and over, or which refuses its microphone to every page."""
    flags = list(_FLAGS)
    if microphone is not None:
        flags += ["--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}"]
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium(), args=flags)
        try:
            yield running
        finally:
            await running.close()


def spaced(speech: Path, target: Path, *, before_seconds: float, after_seconds: float) -> Path:
    """`speech` with silence around it."""
    with wave.open(str(speech), "rb") as source, wave.open(str(target), "wb") as sink:
        sink.setparams(source.getparams())
        second = source.getframerate() * source.getsampwidth() * source.getnchannels()
        sink.writeframes(b"\0" * int(second * before_seconds))
        sink.writeframes(source.readframes(source.getnframes()))
        sink.writeframes(b"\0" * int(second * after_seconds))
    return target
