"""The environment of pipecat: its own, because its pins and ours exclude one another. Made once, by uv."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

from voiceworker.config import ROOT, ConfigError

PIPECAT_VERSION = "1.14.0"
REQUIREMENTS = Path(__file__).parent / "peers" / "pipecat-requirements.txt"


def pipecat_python(cache_directory: Path) -> Path:
    """The interpreter of pipecat's environment; makes it (half a gigabyte, about a minute) when it is not there yet.

    Raises ConfigError when there is no uv, or the packages cannot be had.
    """
    target = cache_directory / "bench" / f"pipecat-{PIPECAT_VERSION}"
    python, done = target / "bin" / "python", target / ".installed"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = REQUIREMENTS.read_text(encoding="utf-8")
        if done.is_file() and done.read_text(encoding="utf-8") == wanted:
            return python
        uv = _uv()
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(target)])
        install = [uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes"]
        _run(["nice", *install, "--requirement", str(REQUIREMENTS)])
        done.write_text(wanted, encoding="utf-8")
    return python


def _uv() -> str:
    own = ROOT / ".venv" / "uv" / "bin" / "uv"
    found = str(own) if own.is_file() else shutil.which("uv")
    if found is None:
        raise ConfigError("pipecat needs an environment of its own, and there is no uv to make it: run `make setup`")
    return found


def _run(command: list[str]) -> None:
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        last = (outcome.stderr.strip().splitlines() or ["no message"])[-1]
        raise ConfigError(f"pipecat's environment cannot be made: {last}; leave it out by --systems ours,livekit")
