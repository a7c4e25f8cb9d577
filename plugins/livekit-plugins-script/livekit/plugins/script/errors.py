"""What can be wrong with a script."""

from __future__ import annotations

Path = tuple[str | int, ...]
"""Where a key stands in the agent's file, from its top: `("script", "intents", "book", "phrases", 2)`."""


class ScriptError(ValueError):
    """A mistake in the `script:` part of an agent's file.

    `path` names the key, so that a loader that knows line numbers can print the line; `message` says what is
    wrong and what is allowed.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{'.'.join(str(part) for part in path)}: {message}")
        self.path = path
        self.message = message
