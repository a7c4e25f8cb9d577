"""Reads parts of a mapping with errors that name the key and say what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from datetime import time
from typing import Any, TypeVar

from .errors import Path, ScriptError

T = TypeVar("T")


class Reader:
    """One mapping of the script and its path. Every key is read by name; a key that is not known is an error."""

    def __init__(self, value: object, path: Path, allowed: Collection[str]) -> None:
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise ScriptError(path, f"must be a mapping with the keys {', '.join(sorted(allowed))}")
        self.path = path
        self._mapping: Mapping[str, Any] = value
        for key in value:
            if key not in allowed:
                raise ScriptError((*path, str(key)), f"unknown key; {suggest(str(key), allowed)}")

    def at(self, key: str) -> Path:
        return (*self.path, key)

    def has(self, key: str) -> bool:
        return key in self._mapping

    def raw(self, key: str) -> Any:
        return self._mapping.get(key)

    def text(self, key: str, default: str | None = "") -> str:
        value = self._mapping.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise ScriptError(self.at(key) if key in self._mapping else self.path, f"{key}: a text is needed")
        return value

    def flag(self, key: str) -> bool:
        value = self._mapping.get(key, False)
        if not isinstance(value, bool):
            raise ScriptError(self.at(key), "must be true or false")
        return value

    def whole(self, key: str, default: int) -> int:
        value = self._mapping.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ScriptError(self.at(key), "must be a whole number")
        return value

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A text or a list of texts."""
        value = self._mapping.get(key)
        if value is None:
            return default
        if isinstance(value, str):
            return (value.strip(),)
        return tuple(text.strip() for _, text in self.listed(key))

    def listed(self, key: str) -> list[tuple[Path, str]]:
        """A list of texts, each with its path."""
        value = self._mapping.get(key) or []
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list):
            raise ScriptError(self.at(key), "must be a list of texts")
        for index, item in enumerate(value):
            if not isinstance(item, str) or not item.strip():
                raise ScriptError(
                    (*self.at(key), index), f"must be a text, not {item!r}; texts with [, {{ or : need quotes"
                )
        return [((*self.at(key), index), item) for index, item in enumerate(value)]

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self._mapping.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise ScriptError(self.at(key), "must be a mapping")
        for name in value:
            if not isinstance(name, str):
                raise ScriptError((*self.at(key), str(name)), f"the name must be a text; put quotes around {name!r}")
        return value

    def clock(self, value: object, path: Path) -> time:
        """A time of day: `"09:30"`. YAML reads an unquoted 9:30 as the number 570, which is accepted."""
        if isinstance(value, int) and 0 <= value < 24 * 60:
            return time(value // 60, value % 60)
        try:
            return time.fromisoformat(str(value).zfill(5))
        except ValueError:
            raise ScriptError(path, f'must be a time of day such as "09:30", not {value!r}') from None


def suggest(given: str, allowed: Collection[str]) -> str:
    """What is allowed, with the nearest first."""
    near = difflib.get_close_matches(given, allowed, n=1)
    options = f"allowed: {', '.join(sorted(allowed))}" if allowed else "nothing is allowed here"
    return f"did you mean {near[0]!r}? {options}" if near else options
