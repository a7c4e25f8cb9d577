"""The emulators behind Shopify's toxiproxy: what a network does to a connection, and not a provider.

Needs Go, which builds the pinned version once into the cache, or `toxiproxy-server` on the PATH.
"""

from __future__ import annotations

import asyncio
import fcntl
import re
import shutil
import socket
import subprocess
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import aiohttp

from voiceworker.stack.process import ChildProcess

ToxicKind = Literal["latency", "bandwidth", "slow_close", "timeout", "reset_peer"]
"""latency: `latency` and `jitter` in ms. bandwidth: `rate` in KB/s. slow_close: `delay` in ms. timeout: nothing passes,
and the end comes after `timeout` ms (0: never). reset_peer: RST after `timeout` ms."""

_FOLDER = Path(__file__).parent / "toxiproxy"
_MODULE = "github.com/Shopify/toxiproxy/v2"
_START_SECONDS = 10.0


class NoToxiproxyError(RuntimeError):
    """There is none here, and no Go to build it with."""


def toxiproxy_program(cache: Path) -> Path:
    """The program to run; built when it is not there (half a minute). Raises NoToxiproxyError."""
    if installed := shutil.which("toxiproxy-server"):
        return Path(installed)
    pinned = re.search(rf"{re.escape(_MODULE)} v(\S+)", (_FOLDER / "go.mod").read_text())
    assert pinned is not None
    built = cache / f"toxiproxy-{pinned.group(1)}"
    if built.is_file():
        return built
    go = shutil.which("go")
    if go is None:
        raise NoToxiproxyError("no toxiproxy: install Go (https://go.dev/dl) and it is built, or toxiproxy-server")
    cache.mkdir(parents=True, exist_ok=True)
    with built.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fresh = built.with_suffix(".new")
        command = [go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(fresh), f"{_MODULE}/cmd/server"]
        outcome = subprocess.run(command, cwd=_FOLDER, capture_output=True, text=True, check=False)
        if outcome.returncode != 0:
            raise NoToxiproxyError(f"building toxiproxy failed: {outcome.stderr.strip()[-300:]}")
        fresh.rename(built)
    return built


class Toxiproxy:
    """A server of its own on loopback, open as a context."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._port = _free_port()
        self._lines: deque[str] = deque(maxlen=20)
        self._child: ChildProcess | None = None
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Toxiproxy:
        command: Sequence[str | Path] = [self._program, "-host", "127.0.0.1", "-port", str(self._port)]
        self._child = await ChildProcess.start(
            "toxiproxy", command, environment={}, directory=self._program.parent, on_line=self._lines.append
        )
        self._http = aiohttp.ClientSession(f"http://127.0.0.1:{self._port}")
        async with asyncio.timeout(_START_SECONDS):
            while not await self._answers():  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.02)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()
        if self._child is not None:
            await self._child.stop(within_seconds=2)

    async def put_ahead_of(self, port: int, name: str = "") -> ToxicPort:
        """A port of loopback that leads to that one. `name`: for one of several that lead to the same."""
        asked = {
            "name": name or f"to-{port}",
            "listen": "127.0.0.1:0",
            "upstream": f"127.0.0.1:{port}",
            "enabled": True,
        }
        made = await self.ask("POST", "/proxies", asked)
        return ToxicPort(self, str(made["name"]), int(made["listen"].rpartition(":")[2]))

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Raises aiohttp.ClientResponseError when it says no."""
        assert self._http is not None
        async with self._http.request(method, path, json=body) as answer:
            answer.raise_for_status()
            return await answer.json() if answer.status != 204 else None

    async def _answers(self) -> bool:
        assert self._child is not None
        if not self._child.running:
            raise NoToxiproxyError(f"toxiproxy does not start: {' '.join(self._lines)}")
        try:
            await self.ask("GET", "/proxies")
        except aiohttp.ClientError:
            return False
        return True


class ToxicPort:
    def __init__(self, proxy: Toxiproxy, name: str, port: int) -> None:
        self.port = port
        self._proxy = proxy
        self._name = name

    @property
    def openai_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def deepgram_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def add(
        self, kind: ToxicKind, *, stream: Literal["downstream", "upstream"] = "downstream", **attributes: int
    ) -> None:
        """Holds for connections that live, too. `downstream` is what the provider sends."""
        toxic = {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "attributes": attributes}
        await self._proxy.ask("POST", f"/proxies/{self._name}/toxics", toxic)

    async def clear(self) -> None:
        for toxic in await self._proxy.ask("GET", f"/proxies/{self._name}/toxics"):
            await self._proxy.ask("DELETE", f"/proxies/{self._name}/toxics/{toxic['name']}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
