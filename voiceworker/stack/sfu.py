"""The SFU: found on this machine, or built once from the pinned Go module, and started with our livekit.yaml."""

from __future__ import annotations

import asyncio
import fcntl
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from voiceworker.config import ROOT, ConfigError, Settings
from voiceworker.stack.process import ChildProcess

OLDEST_VERSION = (1, 13)
DOCKER_IMAGE = "livekit/livekit-server:v1.13.11"
_MODULE = "github.com/livekit/livekit-server"


@dataclass(frozen=True)
class SfuProgram:
    command: tuple[str, ...]
    "the program and what must stand before the server's own arguments"
    origin: str
    "where it comes from, for the log"


def pinned_version(go_mod: Path = ROOT / "sfu" / "go.mod") -> str:
    """The version of livekit-server that sfu/go.mod pins, as in `1.13.5`."""
    found = re.search(rf"^\s*{re.escape(_MODULE)} v(\S+)", go_mod.read_text(), re.MULTILINE)
    if found is None:
        raise ConfigError(f"{go_mod}: does not pin {_MODULE}; restore the file from the repository")
    return found.group(1)


def find_sfu(settings: Settings, say: Callable[[str], None] = lambda _: None) -> SfuProgram:
    """The program to run, by the order of docs/operations.md; builds it (about two minutes, once) when Go is at hand.

    Raises ConfigError with the remedies when there is no way to a livekit-server here.
    """
    installed = shutil.which("livekit-server")
    if installed and _version_of(installed) >= OLDEST_VERSION:
        return SfuProgram((installed,), f"{installed} (installed)")
    version = pinned_version()
    built = settings.cache_directory / f"livekit-server-{version}"
    if built.is_file():
        return SfuProgram((str(built),), f"{built} (built earlier)")
    if go := shutil.which("go"):
        say(f"building livekit-server {version} once, about two minutes ...")
        _build(go, built)
        return SfuProgram((str(built),), f"{built} (built now)")
    docker = shutil.which("docker")
    if docker and _succeeds(docker, "info"):
        run = (docker, "run", "--rm", "--network", "host", "-e", "LIVEKIT_CONFIG", "-e", "LIVEKIT_KEYS")
        return SfuProgram((*run, DOCKER_IMAGE), f"Docker image {DOCKER_IMAGE}")
    raise ConfigError(
        "no LiveKit server: install Go (https://go.dev/dl) and it is built for you, "
        "or put livekit-server >= 1.13 on the PATH, or start Docker, "
        "or set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET to a server that runs elsewhere"
    )


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _version_of(program: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = re.search(r"(\d+)\.(\d+)", answer.stdout)
    return tuple(int(part) for part in found.groups()) if found else (0,)


def _build(go: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two first runs at once: the second waits and finds the program
        if target.is_file():
            return
        fresh = target.with_suffix(".new")
        command = [go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(fresh), f"{_MODULE}/cmd/server"]
        outcome = subprocess.run(command, cwd=ROOT / "sfu", capture_output=True, text=True, check=False)
        if outcome.returncode != 0:
            last = (outcome.stderr.strip().splitlines() or ["no message"])[-1]
            raise ConfigError(
                f"building livekit-server failed: {last}; run `cd sfu && {' '.join(command)}` to see it all"
            )
        fresh.rename(target)
    target.with_suffix(".lock").unlink(missing_ok=True)


def sfu_configuration(settings: Settings, file: Path = ROOT / "livekit.yaml") -> str:
    """livekit.yaml with this machine's addresses and ports put in, as YAML text."""
    try:
        body: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: {error}") from None
    body["port"] = settings.sfu_port
    body["bind_addresses"] = [settings.sfu_host]
    rtc = body.setdefault("rtc", {})
    rtc |= {
        "tcp_port": settings.sfu_tcp_port,
        "udp_port": settings.sfu_udp_port,
        "node_ip": settings.sfu_host,
    }
    if settings.sfu_host.startswith("127."):
        rtc |= {"enable_loopback_candidate": True, "interfaces": {"includes": ["lo"]}}
    return yaml.safe_dump(body)


async def start_sfu(
    settings: Settings, program: SfuProgram, *, environment: Mapping[str, str], on_line: Callable[[str], None]
) -> ChildProcess:
    """Starts the SFU and waits until it answers. Raises ConfigError when it does not within 20 s."""
    own = {
        "LIVEKIT_CONFIG": sfu_configuration(settings),
        "LIVEKIT_KEYS": f"{settings.livekit_api_key}: {settings.livekit_api_secret}",
    }
    child = await ChildProcess.start(
        "sfu", program.command, environment={**environment, **own}, directory=ROOT, on_line=on_line
    )
    if await answers(settings.livekit_url, within_seconds=20, while_running=child):
        return child
    await child.stop(within_seconds=2)
    raise ConfigError(f"the LiveKit server does not start: {child.last_line or 'it says nothing'}")


async def answers(url: str, *, within_seconds: float, while_running: ChildProcess | None = None) -> bool:
    """Whether an SFU answers its health check at `url` (ws or http) before the time is over."""
    health = re.sub(r"^ws", "http", url)
    try:
        async with asyncio.timeout(within_seconds), aiohttp.ClientSession() as http:
            while while_running is None or while_running.running:
                try:
                    async with http.get(health, timeout=aiohttp.ClientTimeout(total=2)) as response:
                        if response.status == 200:
                            return True
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(0.1)
    except TimeoutError:
        pass
    return False
