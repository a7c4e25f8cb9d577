"""Reads an agent's YAML; what is wrong is told with file, line and the allowed values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import yaml

from voiceworker.config.definition import AgentDefinition
from voiceworker.config.terms import ConfigError, names, reason


class AgentFile:
    """A parsed YAML file that can still say on which line a key stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError(f"{path}: no such file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from None
        try:
            self._root = yaml.compose(text, Loader=yaml.CSafeLoader)
            self.data: Any = yaml.load(text, Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            problem = getattr(error, "problem", None) or "not YAML"
            raise ConfigError(f"{path}:{line}: not valid YAML: {problem}") from None
        except (ValueError, RecursionError):  # a date like 2026-99-99, a hundred thousand brackets
            raise ConfigError(
                f"{path}:1: not valid YAML: a value cannot be read; put dates and numbers in quotes"
            ) from None
        if not isinstance(self.data, dict):
            raise ConfigError(f"{path}:1: must be a mapping with the keys {names(AgentDefinition)}")
        self._refuse_doubles(self._root)

    def line(self, place: tuple[str | int, ...]) -> int:
        """The 1-based line of the key or list item at `place`; of the nearest parent that stands in the file."""
        node, line = self._root, 1
        for step in place:
            if isinstance(node, yaml.MappingNode):
                found = next((pair for pair in node.value if pair[0].value == str(step)), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            else:
                break
        return line

    def error(self, place: tuple[str | int, ...], reason: str) -> ConfigError:
        where = ".".join(str(step) for step in place)
        return ConfigError(f"{self.path}:{self.line(place)}: {where}: {reason}")

    def _refuse_doubles(self, node: Any) -> None:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    raise ConfigError(f"{self.path}:{key.start_mark.line + 1}: {key.value}: stands here twice")
                seen.add(key.value)
                self._refuse_doubles(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._refuse_doubles(item)


class PlaceError(Exception):
    """What is wrong at one place of an agent's file, told by whoever reads that part of it."""

    def __init__(self, place: tuple[str | int, ...], reason: str) -> None:
        super().__init__(reason)
        self.place = place


AgentCheck = Callable[[AgentDefinition], None]
"""raises PlaceError for what only the reader of a part can know: the script's rules, a tool's settings"""


def load_agent(path: Path, check: AgentCheck | None = None) -> AgentDefinition:
    """The definition in the file. Raises ConfigError `FILE:LINE: KEY: reason; allowed values`."""
    file = AgentFile(path)
    try:
        definition = AgentDefinition(**file.data)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise file.error(tuple(first["loc"]), reason(first, AgentDefinition)) from None
    except TypeError:
        raise ConfigError(f"{path}:1: keys must be words: {names(AgentDefinition)}") from None
    if definition.name != path.stem:
        raise file.error(("name",), f"is {definition.name!r} but the file is called {path.name}; name both alike")
    if check is not None:
        try:
            check(definition)
        except PlaceError as error:
            raise file.error(error.place, str(error)) from None
    return definition
