"""What calls tell each other of the providers: a small file. One process serves one call, so memory does not do.

It is a hint, never a truth that a call depends on: a file that cannot be read or written is as good as none.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voiceworker.policy.breaker import Remembered

logger = logging.getLogger("voiceworker.call")

_VERSION = 1
_MOST_ENTRIES = 200
_LONGEST_BYTES = 100_000


class SharedHealth:
    """Blocks on the disk; a few hundred bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        "of the file that was read last: its number and when it was written"

    def read(self) -> dict[str, Remembered]:
        """All that is known."""
        try:
            with self._path.open("rb") as file:
                return _parse(file.read(_LONGEST_BYTES))
        except OSError:
            return {}

    def news(self) -> dict[str, Remembered]:
        """All that is known, if the file was written since the last time; else nothing."""
        try:
            status = self._path.stat()
        except OSError:
            return {}
        seen = (status.st_ino, status.st_mtime_ns)
        if seen == self._seen:
            return {}
        self._seen = seen
        return self.read()

    def write(self, name: str, remembered: Remembered) -> None:
        """Of two accounts of the same provider the later one stays, whoever writes first."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._alone():
                known = self.read()
                earlier = known.get(name)
                if earlier is None or earlier.told_at <= remembered.told_at:
                    known[name] = remembered
                    self._replace(known)
        except OSError as error:
            logger.warning("the state of the providers was not written: %s", error.strerror)

    def _replace(self, known: dict[str, Remembered]) -> None:
        latest = sorted(known.items(), key=lambda item: item[1].told_at)[-_MOST_ENTRIES:]
        models = {
            name: {"told_at": one.told_at, "open_until": one.open_until, "openings": one.openings}
            for name, one in sorted(latest)
        }
        fresh = self._path.with_suffix(f".{os.getpid()}.part")
        fresh.write_text(json.dumps({"version": _VERSION, "models": models}, indent=1), encoding="utf-8")
        fresh.replace(self._path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _parse(data: bytes) -> dict[str, Remembered]:
    try:
        document = json.loads(data)
        if document["version"] != _VERSION:
            return {}
        return {
            str(name): Remembered(
                float(one["told_at"]),
                None if one["open_until"] is None else float(one["open_until"]),
                int(one["openings"]),
            )
            for name, one in document["models"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return {}
