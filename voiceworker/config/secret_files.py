"""Secrets that are given as files: `X_FILE` names the file that holds X, as container secrets do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from voiceworker.config.terms import ConfigError

KEY_SUFFIX = "_API_KEY"


def with_secret_files(given: Mapping[str, str], secrets: Collection[str], directory: Path) -> dict[str, str]:
    """The environment `given`, with each secret X read from the file that X_FILE names; a set X goes before its file.

    `secrets` are the variables of ours that may be read so, besides every other one that ends in _API_KEY. A relative
    path counts from `directory`. Raises ConfigError when the file of a secret of ours cannot be read. Other programs
    have variables that end in _API_KEY_FILE as well: theirs may name what they like.
    """
    read: dict[str, str] = {}
    for variable, path in given.items():
        secret = variable.removesuffix("_FILE")
        if secret == variable or not path or given.get(secret):
            continue
        if secret not in secrets and not secret.endswith(KEY_SUFFIX):
            continue
        try:
            read[secret] = _secret_in(directory / Path(path).expanduser())
        except (OSError, ValueError) as error:
            if secret in secrets:
                reason = error.strerror if isinstance(error, OSError) else error
                raise ConfigError(f"{variable}: {path} cannot be used: {reason}") from None
    return {**given, **read}


def _secret_in(path: Path) -> str:
    """Raises OSError, and ValueError when the file holds anything but one line of text; never tells what it holds."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None
    if not text or not text.isprintable():
        raise ValueError("it must hold the secret in one line and nothing else")
    return text
