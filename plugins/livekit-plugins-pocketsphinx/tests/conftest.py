"""Shared by the tests: a small grammar, its recogniser, spoken sentences."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from livekit.plugins.pocketsphinx import STT, ModelSettings

_SPEECH = Path(__file__).parents[3] / "tests" / "audio" / "sentences" / "rendered" / "rms"
_SMALL_SETTINGS = ModelSettings(general_words=2000, general_pruning=3e-6)  # made in a second
_GRAMMAR = """#JSGF V1.0;
grammar desk;
<day> = monday | tuesday | wednesday | thursday | friday | saturday;
<hour> = one | two | three | four | nine | ten | eleven;
public <hours> = [hello] (what are your [opening] hours | when are you open [on <day>]);
public <book> = (i'd like to | can i) book (a haircut | an appointment) [for <day>] [at <hour> [o'clock]];
public <yes> = yes [that is (right | correct)];
"""


@pytest.fixture(scope="session")
def grammar() -> str:
    return _GRAMMAR


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
async def engine(grammar: str, cache_folder: Path) -> AsyncIterator[Callable[..., STT]]:
    """Makes recognisers of the small grammar, and closes them."""
    made: list[STT] = []

    def make(**options: object) -> STT:
        arguments: dict[str, object] = {"grammar": grammar, "cache_folder": cache_folder}
        made.append(STT(**(arguments | {"model_settings": _SMALL_SETTINGS} | options)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for stt in made:
        await stt.aclose()


@pytest.fixture(scope="session")
def speech() -> Mapping[str, npt.NDArray[np.int16]]:
    """Sentences by their file's name, such as `frontdesk-10`: int16[samples], 16 kHz mono."""
    return {path.stem: soundfile.read(path, dtype="int16")[0] for path in sorted(_SPEECH.glob("frontdesk-*.flac"))}
