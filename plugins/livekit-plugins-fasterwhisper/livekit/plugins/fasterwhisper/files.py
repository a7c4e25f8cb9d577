"""Where the weights lie, which of them are missing, and how they are fetched."""

from __future__ import annotations

import difflib
import json
import re
import warnings
from pathlib import Path

import faster_whisper

from .model import ModelError

_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_REQUIRED = ("config.json", "model.bin", "tokenizer.json")
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_LANGUAGE_TOKEN = re.compile(r"<\|([a-z]{2,3})\|>")


class MissingModelError(FileNotFoundError):
    """The model's files are not there. The text names the first of them, and the command that fetches them."""


def model_folder(model: str, folder: Path) -> Path:
    """Where the files of a model lie. Raises ValueError when the text cannot be a model's name."""
    if not _NAME.fullmatch(model):
        raise ValueError(f"{model!r} is no model's name")
    return folder / model.replace("/", "--")


def missing_files(model: str, folder: Path) -> list[Path]:
    """Those that have to be fetched before the model can be loaded; empty when it is usable.

    Raises ValueError when nothing is there and nothing by that name can be fetched either.
    """
    place = model_folder(model, folder)
    missing = [place / name for name in _REQUIRED if not (place / name).is_file()]
    if not any((place / name).is_file() for name in _VOCABULARIES):
        missing.append(place / _VOCABULARIES[0])
    if missing and not place.is_dir():
        _check_known(model)
    return missing


def find(model: str, folder: Path) -> Path:
    """The folder of a complete model. Raises ValueError for an unknown name, MissingModelError."""
    missing = missing_files(model, folder)
    if missing:
        raise MissingModelError(f"{missing[0]} is not there; fetch it by: python agent.py download-files")
    return model_folder(model, folder)


def download(model: str, folder: Path) -> Path:
    """Fetches what is missing of a model by faster-whisper's own code, and gives its folder; blocks for minutes.

    `model` is a size (`small.en`) or the hub's name of any converted model (`OWNER/NAME`). An interrupted download goes
    on where it stopped. Raises ValueError for an unknown name, OSError when it cannot be fetched or written.
    """
    if not missing_files(model, folder):
        return model_folder(model, folder)
    _check_known(model)
    place = model_folder(model, folder)
    with warnings.catch_warnings():
        # faster-whisper 1.2.1 still hands over an option that the hub's client has dropped
        warnings.filterwarnings("ignore", message=".*local_dir_use_symlinks", category=UserWarning)
        faster_whisper.download_model(model, output_dir=str(place), cache_dir=str(place / ".cache"))
    return find(model, folder)


def languages(model: str, folder: Path) -> frozenset[str]:
    """Those that a model which is there was made for, as codes of two or three letters. Raises ModelError."""
    if model.endswith(".en"):
        return frozenset({"en"})
    path = model_folder(model, folder) / "tokenizer.json"
    try:
        added = json.loads(path.read_text(encoding="utf-8"))["added_tokens"]
        tokens = [_LANGUAGE_TOKEN.fullmatch(token["content"]) for token in added]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is no tokenizer: {error!r}") from error
    return frozenset(match[1] for match in tokens if match) or frozenset({"en"})


def _check_known(model: str) -> None:
    known = faster_whisper.available_models()
    if model in known or "/" in model:
        return
    nearest = difflib.get_close_matches(model, known, n=3, cutoff=0.4)
    hint = f"nearest: {', '.join(nearest)}" if nearest else f"known: {', '.join(known)}"
    raise ValueError(f"no Whisper model {model!r}; {hint}")
