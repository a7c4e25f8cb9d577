"""The agents of a folder, read again when their files change."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
from pathlib import Path

from voiceworker.config.agent_file import AgentCheck, load_agent
from voiceworker.config.definition import AgentDefinition
from voiceworker.config.terms import ConfigError

logger = logging.getLogger("voiceworker.config")


class AgentCatalog:
    """The agents of a folder. A changed file serves the next session; a broken one leaves the last good in force."""

    def __init__(self, directory: Path, check: AgentCheck | None = None, last_good: Path | None = None) -> None:
        """`last_good`: a folder for copies of good files, so that a process that starts later has them as well. When it
        is the folder itself there are none: a copy would be one more change of the file."""
        self._directory = directory
        self._check = check
        is_another = last_good is not None and last_good.resolve() != directory.resolve()
        self._last_good = last_good if is_another else None
        self._seen: dict[str, tuple[_Looks, AgentDefinition | None]] = {}
        "name -> by what its file was known when it was read last, and the newest good version"
        self.problems: dict[str, str] = {}
        "name -> why its file is refused at present"

    def names(self) -> list[str]:
        """The names of all agents whose file is, or has been, good; sorted."""
        present = sorted(path.stem for path in self._directory.glob("*.yaml"))
        return [name for name in present if self.get(name) is not None]

    def get(self, name: str) -> AgentDefinition | None:
        """The newest good version, or None when there is none. Reads the file again only when it has changed."""
        if not re.match(r"^[a-z][a-z0-9_-]{0,40}$", name):
            return None
        path = self._directory / f"{name}.yaml"
        try:
            looks = _looks_of(path)
        except OSError:
            return None
        seen, good = self._seen.get(name, (None, None))
        if seen == looks:
            return good
        try:
            good = load_agent(path, self._check)
            self.problems.pop(name, None)
            self._keep(path, looks)
        except ConfigError as error:
            self.problems[name] = str(error)
            good = self._kept(path.name) or good  # another process may have read a newer good version
            logger.error("%s; %s", error, "its last good version goes on" if good else "it answers no calls")
        self._seen[name] = (looks, good)
        return good

    def _keep(self, path: Path, looks: _Looks) -> None:
        if self._last_good is None:
            return
        self._last_good.mkdir(parents=True, exist_ok=True)
        fresh = self._last_good / f"{path.name}.{os.getpid()}"
        shutil.copyfile(path, fresh)
        with contextlib.suppress(OSError):
            if _looks_of(path) == looks:  # else it is not what was read
                fresh.replace(self._last_good / path.name)
        fresh.unlink(missing_ok=True)

    def _kept(self, file_name: str) -> AgentDefinition | None:
        if self._last_good is None:
            return None
        try:
            return load_agent(self._last_good / file_name, self._check)
        except ConfigError:
            return None


_Looks = tuple[int, int, int]


def _looks_of(path: Path) -> _Looks:
    """By what a change of the file is noticed; its time alone says nothing of a copy that keeps it. Raises OSError."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
