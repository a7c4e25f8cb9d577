"""Where the voices lie, which files of them are missing, and how they are fetched."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from piper import download_voices

from .voice import Voice, read_config

_NAME = re.compile(r"\w[\w.+-]*")
_SUFFIXES = (".onnx", ".onnx.json")


class MissingVoiceError(FileNotFoundError):
    """The voice's files are not there. The text names the first of them, and the command that fetches them."""


def model_path(voice: str, folder: Path) -> Path:
    """The voice's ONNX file; its settings lie beside it, with `.json` behind the name.

    Raises ValueError when the text cannot be a voice's name.
    """
    if not _NAME.fullmatch(voice):
        raise ValueError(f"{voice!r} is no voice's name")
    return folder / f"{voice}.onnx"


def missing_files(voice: str, folder: Path) -> list[Path]:
    """Those that have to be fetched before the voice can speak; empty when it is usable.

    Raises ValueError when nothing is there and the name is not of the kind that can be fetched.
    """
    model_path(voice, folder)
    missing = [path for suffix in _SUFFIXES if not _is_there(path := folder / f"{voice}{suffix}")]
    if len(missing) == len(_SUFFIXES):
        _check_fetchable(voice)
    return missing


def find(voice: str, folder: Path) -> Path:
    """The ONNX file of a complete voice. Raises ValueError for an impossible name, MissingVoiceError."""
    missing = missing_files(voice, folder)
    if missing:
        raise MissingVoiceError(f"{missing[0]} is not there; fetch it by: python agent.py download-files")
    return model_path(voice, folder)


def download(voice: str, folder: Path) -> Path:
    """Fetches what is missing of a voice by Piper's own code, and gives its ONNX file; blocks for a minute.

    Nothing appears before it is whole and can be loaded. Raises ValueError for an impossible name, OSError when the
    voice does not exist, cannot be fetched or written, or cannot speak here.
    """
    if not missing_files(voice, folder):
        return model_path(voice, folder)
    _check_fetchable(voice)
    folder.mkdir(parents=True, exist_ok=True)
    # Piper notices neither an answer that breaks off nor a file that an interrupted download left: so it is given a
    # folder of its own, and what it fetched is tried
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as unfinished:
        download_voices.download_voice(voice, Path(unfinished))
        fetched = model_path(voice, Path(unfinished))
        Voice(fetched, read_config(fetched))
        for suffix in _SUFFIXES:
            (Path(unfinished) / f"{voice}{suffix}").replace(folder / f"{voice}{suffix}")
    return find(voice, folder)


def _is_there(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _check_fetchable(voice: str) -> None:
    if not download_voices.VOICE_PATTERN.match(voice):
        raise ValueError(f"{voice!r} is no voice of Piper's: they are called like en_US-lessac-medium")
