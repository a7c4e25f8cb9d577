"""Shared by the tests: a tiny Whisper that hears what it was built to hear, and sentences to let it hear."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

if TYPE_CHECKING:
    from livekit.plugins.fasterwhisper import STT

with contextlib.suppress(ImportError):  # each test file says that it is skipped without them
    from ctranslate2.specs import WhisperSpec
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

_SPEECH = Path(__file__).parents[3] / "tests" / "audio" / "sentences" / "rendered" / "rms"
_WIDTH = 64
_WORD_FRAMES = 25
"half a second, which is what every word is aligned to"
_MULTILINGUAL = ""
"CTranslate2 tells a multilingual Whisper by this token"
_TASKS = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
_TIMES = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]


def _tokens(words: Sequence[str], languages: Sequence[str]) -> list[str]:
    """In Whisper's order: text, end of text, the other marks, and last the times."""
    marks = ["endoftext", "startoftranscript", *(languages or ["en"]), *_TASKS]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    text = [*letters, *(word for word in words if word not in letters)]
    return [*text, *([_MULTILINGUAL] if languages else []), *(f"<|{mark}|>" for mark in marks), *_TIMES]


def _write_tokenizer(tokens: Sequence[str], path: Path) -> None:
    times = set(_TIMES)
    special = [token for token in tokens if token.startswith("<|") and token not in times]
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(path))


def _zero_attention(spec: object, parts: int) -> None:
    _no_norm(spec.layer_norm)  # type: ignore[attr-defined]
    widths = {2: (_WIDTH, 2 * _WIDTH, _WIDTH), 1: (3 * _WIDTH, _WIDTH)}[parts]
    for linear, width in zip(spec.linear, widths, strict=True):  # type: ignore[attr-defined]
        linear.weight = np.zeros((width, _WIDTH), np.float32)
        linear.bias = np.zeros(width, np.float32)


def _zero_layer(layer: object, *, crossed: bool) -> None:
    _zero_attention(layer.self_attention, 1)  # type: ignore[attr-defined]
    if crossed:
        _zero_attention(layer.attention, 2)  # type: ignore[attr-defined]
    _no_norm(layer.ffn.layer_norm)  # type: ignore[attr-defined]
    for linear in (layer.ffn.linear_0, layer.ffn.linear_1):  # type: ignore[attr-defined]
        linear.weight = np.zeros((_WIDTH, _WIDTH), np.float32)
        linear.bias = np.zeros(_WIDTH, np.float32)


def _attend(spec: object, states: npt.NDArray[np.float32]) -> None:
    """Each of the decoder's states looks at half a second of its own, the first at the first."""
    centred = states - states.mean(axis=1, keepdims=True)
    centred /= centred.std(axis=1, keepdims=True)
    query = np.linalg.pinv(centred) @ np.eye(len(states), _WIDTH)
    spec.linear[0].weight = 50 * query.T.astype(np.float32)  # type: ignore[attr-defined]
    spec.linear[1].weight = np.vstack([np.eye(_WIDTH), np.zeros((_WIDTH, _WIDTH))]).astype(np.float32)  # type: ignore[attr-defined]


def _no_norm(spec: object) -> None:
    spec.gamma, spec.beta = np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32)  # type: ignore[attr-defined]


def build_whisper(folder: Path, said: Sequence[str], *, languages: Sequence[str] = ()) -> Path:
    """A Whisper that hears `said` in whatever it is given: words (` hello`) and times (`<|1.00|>`).

    All its layers are zero, so that the next token hangs on the position alone, whose vector points at it. With
    `languages` it is multilingual, and takes everything for the last of them.
    """
    words = [token.replace(" ", "Ġ") for token in said if not token.startswith("<|")]
    tokens = _tokens(words, languages)
    directions = np.random.default_rng(5).normal(size=(len(tokens), _WIDTH)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    spec = WhisperSpec(1, 1, 1, 1)
    encoder, decoder = spec.encoder, spec.decoder
    for conv, width in ((encoder.conv1, 80), (encoder.conv2, _WIDTH)):
        conv.weight, conv.bias = np.zeros((_WIDTH, width, 3), np.float32), np.zeros(_WIDTH, np.float32)
    encoder.position_encodings.encodings = np.eye(_WIDTH, dtype=np.float32)[np.arange(1500) // _WORD_FRAMES]
    _no_norm(encoder.layer_norm)
    _zero_layer(encoder.layer[0], crossed=False)
    _zero_layer(decoder.layer[0], crossed=True)
    positions = np.zeros((448, _WIDTH), np.float32)
    first = 3 if languages else 1  # after the marks that stand in front: start, language, task
    script = [token.replace(" ", "Ġ") for token in said]
    for position, token in enumerate([*script, *["<|endoftext|>"] * (449 - first - len(script))], start=first - 1):
        positions[position] = 100 * directions[tokens.index(token)]
    if languages:
        positions[0] = 100 * directions[tokens.index(f"<|{languages[-1]}|>")]
    decoder.embeddings.weight = directions
    _attend(decoder.layer[0].attention, positions[first - 1 : first + len(said)])
    decoder.position_encodings.encodings = positions
    _no_norm(decoder.layer_norm)
    decoder.projection.weight = 4 * directions
    spec.config.lang_ids = [tokens.index(f"<|{language}|>") for language in languages or ["en"]]
    spec.config.alignment_heads = [(0, 0)]
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.register_vocabulary(tokens)
    spec.validate()
    folder.mkdir(parents=True)
    spec.save(str(folder))
    _write_tokenizer(tokens, folder / "tokenizer.json")
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": 80, "sampling_rate": 16000}))
    return folder


@pytest.fixture
def build() -> Callable[..., Path]:
    return build_whisper


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With `tiny.en`, which hears "Hello there." from 0 to 1 s, and `tiny`, which takes all for German."""
    folder = tmp_path_factory.mktemp("models")
    build_whisper(folder / "tiny.en", ["<|0.00|>", " Hello", " there", ".", "<|1.00|>"])
    build_whisper(folder / "tiny", ["<|0.00|>", " Guten", " Tag", "<|0.80|>"], languages=["en", "de"])
    return folder


@pytest.fixture
async def engine(models_folder: Path) -> AsyncIterator[Callable[..., STT]]:
    """Makes recognisers of the tiny models, and closes them."""
    from livekit.plugins.fasterwhisper import STT

    made: list[STT] = []

    def make(**options: object) -> STT:
        arguments: dict[str, object] = {
            "model": "tiny.en",
            "download_root": models_folder,
            "device": "cpu",
            "threads": 1,
        }
        made.append(STT(**(arguments | options)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for stt in made:
        await stt.aclose()


@pytest.fixture(scope="session")
def speech() -> Mapping[str, npt.NDArray[np.int16]]:
    """Sentences by their file's name, such as `frontdesk-10`: int16[samples], 16 kHz mono."""
    return {path.stem: soundfile.read(path, dtype="int16")[0] for path in sorted(_SPEECH.glob("frontdesk-*.flac"))}
