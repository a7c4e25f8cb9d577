"""Who makes models: what each provider's are called, and what must be there before they answer. A table, nothing more.

docs/models.md tells the same to people; tests/test_models_page.py holds both together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["stt", "llm", "tts", "realtime"]
ROLES: tuple[Role, ...] = ("stt", "llm", "tts", "realtime")

COMPATIBLE = "openai-compatible"
"its models are the names of the agent's `endpoints`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    models: Mapping[Role, tuple[str, ...]]
    "for each role it plays: patterns of its models' names, as a shell has them; `*` for whatever it may be called"
    example: Mapping[Role, str]
    "a whole name, as it stands in an agent's file"
    key: str = ""
    "the environment variable that holds its key"
    address: str = ""
    "the environment variable that says where it answers, for one that has no address of its own"
    plugin: str = ""
    "livekit.plugins.NAME, imported when an agent asks for it; empty: part of every installation"
    engine: str = ""
    "the module that the plugin drives, when it comes with the extra, too"
    extra: str = ""
    "of voiceworker's own extras, the one that brings plugin and engine"
    weights: tuple[str, ...] = ()
    "files that must lie in the folder of weights; {model} and {folder}, which is the model with -- for /"
    bills_as: str = ""
    "the provider under whose name the prices stand; empty: its own"
    nameless: bool = False
    "needs no model beside the provider's name"
    voices: bool = False
    "a name may end in /VOICE"
    embedded: bool = False
    "needs no key, no download, no network"


PROVIDERS: Mapping[str, Provider] = {
    "deepgram": Provider(
        models={"stt": ("nova*", "flux-*", "enhanced*", "base*", "whisper*"), "tts": ("aura*",)},
        example={"stt": "deepgram/nova-3", "tts": "deepgram/aura-2-thalia-en"},
        key="DEEPGRAM_API_KEY",
    ),
    "openai": Provider(
        models={
            "stt": ("*transcribe*", "whisper-*", "gpt-realtime-whisper"),
            "llm": ("*",),
            "tts": ("tts-*", "*-tts*"),
            "realtime": ("gpt-realtime*", "gpt-4o*realtime*"),
        },
        example={
            "stt": "openai/gpt-4o-transcribe",
            "llm": "openai/gpt-4.1-mini",
            "tts": "openai/gpt-4o-mini-tts",
            "realtime": "openai/gpt-realtime",
        },
        key="OPENAI_API_KEY",
        voices=True,
    ),
    "openai-responses": Provider(
        models={"llm": ("*",)},
        example={"llm": "openai-responses/gpt-4.1-mini"},
        key="OPENAI_API_KEY",
        bills_as="openai",
    ),
    COMPATIBLE: Provider(
        models={"stt": ("*",), "llm": ("*",), "tts": ("*",)},
        example={"stt": f"{COMPATIBLE}/NAME", "llm": f"{COMPATIBLE}/NAME", "tts": f"{COMPATIBLE}/NAME/VOICE"},
        voices=True,
    ),
    "ollama": Provider(models={"llm": ("*",)}, example={"llm": "ollama/llama3.2"}, address="OLLAMA_BASE_URL"),
    "elevenlabs": Provider(
        models={"stt": ("scribe*",), "tts": ("eleven_*",)},
        example={"stt": "elevenlabs/scribe_v2_realtime", "tts": "elevenlabs/eleven_flash_v2_5"},
        key="ELEVEN_API_KEY",
        plugin="elevenlabs",
        extra="elevenlabs",
        voices=True,
    ),
    "rime": Provider(
        models={"tts": ("coda*", "mist*")},
        example={"tts": "rime/mistv2/cove"},
        key="RIME_API_KEY",
        plugin="rime",
        extra="rime",
        voices=True,
    ),
    "whisper": Provider(
        models={"stt": ("*",)},
        example={"stt": "whisper/small.en"},
        plugin="fasterwhisper",
        engine="faster_whisper",
        extra="whisper",
        weights=("{folder}/config.json", "{folder}/model.bin", "{folder}/tokenizer.json"),
    ),
    "piper": Provider(
        models={"tts": ("*",)},
        example={"tts": "piper/en_GB-cori-medium"},
        plugin="piper",
        engine="piper",
        extra="piper",
        voices=True,
        weights=("{model}.onnx", "{model}.onnx.json"),
    ),
    "pocketsphinx": Provider(models={"stt": ()}, example={"stt": "pocketsphinx"}, nameless=True, embedded=True),
    "script": Provider(models={"llm": ()}, example={"llm": "script"}, nameless=True, embedded=True),
    "espeak": Provider(models={"tts": ("*",)}, example={"tts": "espeak/en-us"}, nameless=True, embedded=True),
}
