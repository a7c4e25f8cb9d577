"""The one espeak-ng of the process and the thread that owns it.

espeak-ng keeps its state in globals of the library: it exists once per process and only one thread may be inside it.
Every call therefore goes through a single owner thread, clause by clause and in order of arrival, so that several
streams take turns and none waits longer than the clauses of the others that were asked for before its own.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from . import native
from .voices import InstalledVoice, VoiceCatalog

BUFFER_MILLISECONDS = 60
"audio between two callbacks, i.e. how soon a cancelled clause ends (about 0.1 ms of computing)"


class EngineError(RuntimeError):
    """espeak-ng could not be loaded, or refused a call."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a clause is to be spoken."""

    voice: str
    "espeak-ng's own identifier, with its variant: `gmw/en-US`, `gmw/en-US+f3`"
    rate_words_per_minute: int = 165
    "80 to 450"
    pitch: int = 50
    "0 to 99"
    pitch_range: int = 50
    "0 (monotone) to 99"
    volume: int = 100
    "0 to 200; above 100 it may clip"
    word_gap_milliseconds: int = 0
    "extra pause between words"


@dataclass(frozen=True, slots=True)
class WordEvent:
    character: int
    "0-based index in the text that was given"
    sample: int
    "where in the audio the word starts"


@dataclass(frozen=True, slots=True)
class Speech:
    samples: npt.NDArray[np.int16]
    "int16[samples], mono, at the engine's sample rate"
    words: tuple[WordEvent, ...]
    "in the order in which they are heard; a written word may be spoken as several"


class _Take:
    """What one clause has given so far; written by the callback, on the owner thread."""

    def __init__(self, cancelled: threading.Event) -> None:
        self.cancelled = cancelled
        self.chunks: list[bytes] = []
        self.words: list[WordEvent] = []


class Engine:
    """Owner of espeak-ng. Use `shared_engine()`: there is one per process."""

    def __init__(self) -> None:
        self._owner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="espeak")
        self._take: _Take | None = None
        self._voice = ""
        self._callback = native.SynthCallback(self._on_audio)
        self.sample_rate, self.voices = self._owner.submit(self._open).result()

    def _open(self) -> tuple[int, VoiceCatalog]:
        try:
            self._library = native.load()
            data_path = native.data_path()
        except (OSError, RuntimeError) as error:
            raise EngineError(f"espeak-ng cannot be loaded: {error}; reinstall espeakng-loader") from error
        sample_rate = self._library.espeak_Initialize(
            native.AUDIO_OUTPUT_SYNCHRONOUS, BUFFER_MILLISECONDS, data_path.encode(), native.INITIALIZE_DONT_EXIT
        )
        if sample_rate <= 0:
            raise EngineError(f"espeak-ng does not start with the data in {data_path}; reinstall espeakng-loader")
        self._library.espeak_SetSynthCallback(self._callback)
        return sample_rate, VoiceCatalog(self._installed(), _variants(Path(data_path)))

    def _installed(self) -> list[InstalledVoice]:
        listed = self._library.espeak_ListVoices(None)
        voices, index = [], 0
        while listed[index]:
            voice = listed[index].contents
            voices.append(
                InstalledVoice(
                    name=voice.name.decode(),
                    identifier=voice.identifier.decode(),
                    languages=_languages(voice.languages),
                )
            )
            index += 1
        return voices

    async def speak(self, text: str, style: Style, *, pause_after: bool) -> Speech:
        """Audio and word events of one clause. Cancelling the caller stops the engine at its next buffer.

        `text` is plain: no markup in it is obeyed. `pause_after` adds the silence that espeak-ng makes between clauses.
        Raises EngineError when the engine refuses.
        """
        cancelled = threading.Event()
        work = functools.partial(self._speak, text, style, pause_after=pause_after, cancelled=cancelled)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._owner, work)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def speak_blocking(self, text: str, style: Style, *, pause_after: bool = False) -> Speech:
        """`speak` for callers without an event loop."""
        work = functools.partial(self._speak, text, style, pause_after=pause_after, cancelled=threading.Event())
        return self._owner.submit(work).result()

    def _speak(self, text: str, style: Style, *, pause_after: bool, cancelled: threading.Event) -> Speech:
        self._apply(style)
        self._take = take = _Take(cancelled)
        encoded = text.encode("utf-8", "replace")
        flags = native.CHARS_UTF8 | (native.END_PAUSE if pause_after else 0)
        try:
            result = self._library.espeak_Synth(
                encoded, len(encoded) + 1, 0, native.POSITION_CHARACTER, 0, flags, None, None
            )
        finally:
            self._take = None
        if result != native.EE_OK:
            raise EngineError(f"espeak-ng refused a clause (status {result})")
        return Speech(np.frombuffer(b"".join(take.chunks), dtype=np.int16), tuple(take.words))

    def _apply(self, style: Style) -> None:
        if self._voice != style.voice:
            self._voice = ""
            if self._library.espeak_SetVoiceByName(style.voice.encode()) != native.EE_OK:
                raise EngineError(f"espeak-ng cannot load the voice {style.voice!r}")
            self._voice = style.voice
        for parameter, value in (
            (native.RATE, style.rate_words_per_minute),
            (native.PITCH, style.pitch),
            (native.PITCH_RANGE, style.pitch_range),
            (native.VOLUME, style.volume),
            (native.WORD_GAP, style.word_gap_milliseconds // 10),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)

    def _on_audio(self, samples: int | None, count: int, events: ctypes._Pointer[native.Event]) -> int:
        take = self._take
        if take is None or take.cancelled.is_set():
            return 1
        index = 0
        while (event := events[index]).type != native.EVENT_LIST_TERMINATED:
            if event.type == native.EVENT_WORD:
                take.words.append(WordEvent(max(0, event.text_position - 1), event.sample))
            index += 1
        if samples is not None and count > 0:
            take.chunks.append(ctypes.string_at(samples, count * 2))
        return 0


@functools.cache
def shared_engine() -> Engine:
    """The engine of this process, started at first use. Raises EngineError."""
    return Engine()


def _languages(address: int) -> tuple[tuple[int, str], ...]:
    """The (priority, tag) pairs at `address`; a lower number is a better fit."""
    pairs = []
    while priority := ctypes.string_at(address, 1)[0]:
        tag = ctypes.string_at(address + 1)
        pairs.append((priority, tag.decode()))
        address += len(tag) + 2
    return tuple(pairs)


def _variants(data_path: Path) -> frozenset[str]:
    folder = data_path / "voices" / "!v"
    return frozenset(file.name for file in folder.iterdir()) if folder.is_dir() else frozenset()
