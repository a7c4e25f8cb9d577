"""Shared by the tests: Piper voices of a few kilobytes, which hum each sound of a text for a few milliseconds."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from livekit.plugins.piper import TTS

with contextlib.suppress(ImportError):  # each test file says that it is skipped without them
    from onnx import TensorProto, helper, save
    from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

SAMPLES_PER_SOUND = 256
ENDLESS_SPEED = 0.25
"at which the tiny voices never finish a sentence, as a huge one on a slow machine"


def build_voice(path: Path, *, sample_rate: int = 16000, speakers: int = 1) -> Path:
    """A voice with Piper's inputs. Each sound's number is its loudness for 256 samples, stretched by the length scale;
    at a length scale of 4 it computes for ever."""
    constants = {
        "shape": ([4], [1, 1, -1, 1]),
        "flat": ([4], [1, 1, 1, -1]),
        "ones": ([3], [1, 1, 1]),
        "length_scale_index": ([1], [1]),
        "for_ever": ([], [2**60]),
        "once": ([], [1]),
    }
    nodes = [
        helper.make_node("Gather", ["scales", "length_scale_index"], ["length_scale"], axis=0),
        helper.make_node("GreaterOrEqual", ["length_scale", "limit"], ["is_endless_1"]),
        helper.make_node("Squeeze", ["is_endless_1"], ["is_endless"]),
        helper.make_node("Where", ["is_endless", "for_ever", "once"], ["trips"]),
        helper.make_node("Cast", ["input"], ["sounds"], to=TensorProto.FLOAT),
        helper.make_node("Loop", ["trips", "", "sounds"], ["looped"], body=_round()),
        helper.make_node("Reshape", ["looped", "shape"], ["column"]),
        helper.make_node("Mul", ["length_scale", "samples_per_sound"], ["width_float"]),
        helper.make_node("Cast", ["width_float"], ["width"], to=TensorProto.INT64),
        helper.make_node("Concat", ["ones", "width"], ["repeats"], axis=0),
        helper.make_node("Tile", ["column", "repeats"], ["tiled"]),
        helper.make_node("Reshape", ["tiled", "flat"], ["output"]),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, ["batch", "sounds"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    if speakers > 1:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, ["batch"]))
        nodes[-1].output[0] = "plain"
        nodes.append(helper.make_node("Cast", ["sid"], ["offset"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Add", ["plain", "offset"], ["output"]))
    numbers = [
        helper.make_tensor(name, TensorProto.INT64, shape, values) for name, (shape, values) in constants.items()
    ]
    numbers.append(helper.make_tensor("limit", TensorProto.FLOAT, [1], [1 / ENDLESS_SPEED]))
    numbers.append(helper.make_tensor("samples_per_sound", TensorProto.FLOAT, [1], [SAMPLES_PER_SOUND]))
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 1, 1, "samples"])
    graph = helper.make_graph(nodes, "voice", inputs, [output], numbers)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), str(path))
    described = _description(sample_rate, speakers)
    path.with_name(f"{path.name}.json").write_text(json.dumps(described), encoding="utf-8")
    return path


def _description(sample_rate: int, speakers: int) -> dict[str, object]:
    return {
        "audio": {"sample_rate": sample_rate},
        "espeak": {"voice": "en-us"},
        "phoneme_type": "espeak",
        "num_symbols": 256,
        "num_speakers": speakers,
        "speaker_id_map": {f"speaker{index}": index for index in range(speakers)} if speakers > 1 else {},
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
    }


def _round() -> object:
    """What the loop does each time: nothing."""
    return helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["goes_on"]),
            helper.make_node("Identity", ["before"], ["after"]),
        ],
        "round",
        [
            helper.make_tensor_value_info("trip", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, None),
        ],
    )


@pytest.fixture(scope="session")
def voices_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With `en_US-hum-low`, 16 kHz, and `en_US-choir-medium`, 22.05 kHz, of three speakers."""
    folder = tmp_path_factory.mktemp("voices")
    build_voice(folder / "en_US-hum-low.onnx")
    build_voice(folder / "en_US-choir-medium.onnx", sample_rate=22050, speakers=3)
    return folder


@pytest.fixture
async def voice(voices_folder: Path) -> AsyncIterator[Callable[..., TTS]]:
    """Makes voices, and closes them."""
    from livekit.plugins.piper import TTS

    made: list[TTS] = []

    def make(**options: object) -> TTS:
        arguments: dict[str, object] = {"voice": "en_US-hum-low", "download_root": voices_folder}
        made.append(TTS(**(arguments | options)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for tts in made:
        await tts.aclose()
