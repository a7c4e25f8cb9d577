"""The decoder, called by ctypes instead of pocketsphinx's own Python binding.

The binding keeps the GIL for the whole of every call, and the last pass over an utterance takes tens to hundreds of
milliseconds: a thread would stall the event loop as badly as a plain call. The binding's extension module exports the
library's C functions (include/pocketsphinx.h, pocketsphinx 5.1), and ctypes lets the GIL go around each of them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pocketsphinx

FRAMES_PER_SECOND = 100
SAMPLE_RATE = 16000

_Pointer = ctypes.c_void_p
_Text = ctypes.c_char_p
_Int = ctypes.c_int
_OutInt = ctypes.POINTER(ctypes.c_int)
# name: (result, arguments), from pocketsphinx.h
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "err_set_loglevel_str": (_Text, [_Text]),
    "fsg_model_free": (_Int, [_Pointer]),
    "fsg_model_writefile": (None, [_Pointer, _Text]),
    "jsgf_build_fsg_raw": (_Pointer, [_Pointer, _Pointer, _Pointer, ctypes.c_float]),
    "jsgf_get_rule": (_Pointer, [_Pointer, _Text]),
    "jsgf_grammar_free": (None, [_Pointer]),
    "jsgf_parse_string": (_Pointer, [_Text, _Pointer]),
    "logmath_exp": (ctypes.c_double, [_Pointer, _Int]),
    "logmath_free": (_Int, [_Pointer]),
    "logmath_init": (_Pointer, [ctypes.c_double, _Int, _Int]),
    "ngram_model_free": (_Int, [_Pointer]),
    "ngram_model_read": (_Pointer, [_Pointer, _Text, _Int, _Pointer]),
    "ngram_model_set_init": (_Pointer, [_Pointer, _Pointer, _Pointer, _Pointer, _Int]),
    "ngram_model_write": (_Int, [_Pointer, _Text, _Int]),
    "ps_activate_search": (_Int, [_Pointer, _Text]),
    "ps_add_lm": (_Int, [_Pointer, _Text, _Pointer]),
    "ps_config_free": (_Int, [_Pointer]),
    "ps_config_init": (_Pointer, [_Pointer]),
    "ps_config_set_bool": (_Pointer, [_Pointer, _Text, _Int]),
    "ps_config_set_float": (_Pointer, [_Pointer, _Text, ctypes.c_double]),
    "ps_config_set_int": (_Pointer, [_Pointer, _Text, ctypes.c_long]),
    "ps_config_set_str": (_Pointer, [_Pointer, _Text, _Text]),
    "ps_end_utt": (_Int, [_Pointer]),
    "ps_free": (_Int, [_Pointer]),
    "ps_get_cmn": (_Text, [_Pointer, _Int]),
    "ps_get_config": (_Pointer, [_Pointer]),
    "ps_get_logmath": (_Pointer, [_Pointer]),
    "ps_init": (_Pointer, [_Pointer]),
    "ps_process_raw": (_Int, [_Pointer, _Text, ctypes.c_size_t, _Int, _Int]),
    "ps_seg_frames": (None, [_Pointer, _OutInt, _OutInt]),
    "ps_seg_iter": (_Pointer, [_Pointer]),
    "ps_seg_next": (_Pointer, [_Pointer]),
    "ps_seg_prob": (_Int, [_Pointer, _OutInt, _OutInt, _OutInt]),
    "ps_seg_word": (_Text, [_Pointer]),
    "ps_set_cmn": (_Int, [_Pointer, _Text]),
    "ps_start_utt": (_Int, [_Pointer]),
}


@dataclass(frozen=True)
class Segment:
    """One entry of the decoder's best path: a word, or a filler such as `<sil>`."""

    word: str
    "as in the dictionary, with the mark of an alternate pronunciation: `the(2)`"
    start_seconds: float
    "from the first sample of the utterance"
    end_seconds: float
    probability: float
    "posterior probability, 0 to 1; meaningful in a final result only"


@cache
def library() -> ctypes.CDLL:
    """pocketsphinx's C functions, typed. Raises ImportError where the wheel hides them."""
    path = Path(pocketsphinx._pocketsphinx.__file__)
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in _SIGNATURES.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise ImportError(f"{path} does not export {name}: pocketsphinx 5.1 on Linux or macOS is needed") from None
        function.restype, function.argtypes = result, arguments
    return library


class Decoder:
    """A recogniser. Not thread-safe: one thread at a time may use it, though not always the same one.

    `settings` are pocketsphinx's own configuration keys, `hmm` and `dict` (paths) among them; `language_models` are
    files and their weights in the mixture that is decoded with. Raises RuntimeError when it refuses one of them.
    """

    def __init__(
        self, settings: Mapping[str, str | bool | int | float], language_models: Sequence[tuple[Path, float]]
    ) -> None:
        self._decoder: int | None = None
        self._library = library()
        config = self._library.ps_config_init(None)
        try:
            for key, value in settings.items():
                self._set(config, key.encode(), value)
            self._decoder = self._library.ps_init(config)
        finally:
            self._library.ps_config_free(config)
        if self._decoder is None:
            raise RuntimeError(f"pocketsphinx could not make a decoder of {dict(settings)}")
        self._log_math = self._library.ps_get_logmath(self._decoder)
        try:
            self._mix(language_models)
        except RuntimeError:
            self.close()
            raise

    def _mix(self, language_models: Sequence[tuple[Path, float]]) -> None:
        """Searches by the weighted sum of the models' probabilities. A model caches as it is read: never share one."""
        c, count = self._library, len(language_models)
        config = c.ps_get_config(self._decoder)
        models: list[int] = []
        try:
            for path, _ in language_models:
                model = c.ngram_model_read(config, str(path).encode(), 0, self._log_math)
                if model is None:
                    raise RuntimeError(f"pocketsphinx could not read the language model {path}")
                models.append(model)
            names = (_Text * count)(*(str(number).encode() for number in range(count)))
            weights = (ctypes.c_float * count)(*(weight for _, weight in language_models))
            mixture = c.ngram_model_set_init(config, (_Pointer * count)(*models), names, weights, count)
            added = c.ps_add_lm(self._decoder, b"mixture", mixture)
            c.ngram_model_free(mixture)
        finally:
            for model in models:
                c.ngram_model_free(model)
        self._check(added, "use the language models")
        self._check(c.ps_activate_search(self._decoder, b"mixture"), "search with the language models")

    def _set(self, config: int, key: bytes, value: str | float) -> None:
        if isinstance(value, bool):
            done = self._library.ps_config_set_bool(config, key, value)
        elif isinstance(value, int):
            done = self._library.ps_config_set_int(config, key, value)
        elif isinstance(value, float):
            done = self._library.ps_config_set_float(config, key, value)
        else:
            done = self._library.ps_config_set_str(config, key, value.encode())
        if done is None:
            raise RuntimeError(f"pocketsphinx does not know the setting {key.decode()}")

    def start(self) -> None:
        """Begins an utterance."""
        self._check(self._library.ps_start_utt(self._decoder), "start an utterance")

    def process(self, pcm: bytes, *, whole: bool = False) -> None:
        """Decodes `pcm` (int16 little endian, 16 kHz mono); `whole`: it is all of the utterance, normalised as one."""
        if pcm:
            self._check(self._library.ps_process_raw(self._decoder, pcm, len(pcm) // 2, 0, whole), "decode")

    def end(self) -> None:
        """Ends the utterance with the passes that need all of it; `segments` then gives the final result."""
        self._check(self._library.ps_end_utt(self._decoder), "end an utterance")

    def segments(self) -> list[Segment]:
        """The best path so far, fillers included."""
        segments = []
        first, last = ctypes.c_int(), ctypes.c_int()
        segment = self._library.ps_seg_iter(self._decoder)
        while segment:
            self._library.ps_seg_frames(segment, first, last)
            probability = self._library.ps_seg_prob(segment, None, None, None)
            segments.append(
                Segment(
                    word=self._library.ps_seg_word(segment).decode(),
                    start_seconds=first.value / FRAMES_PER_SECOND,
                    end_seconds=(last.value + 1) / FRAMES_PER_SECOND,
                    probability=min(1.0, self._library.logmath_exp(self._log_math, probability)),
                )
            )
            segment = self._library.ps_seg_next(segment)
        return segments

    def cepstral_mean(self) -> list[float]:
        """The running mean of the features, which is subtracted from them: what is the channel's and not the words'."""
        mean: bytes = self._library.ps_get_cmn(self._decoder, 1)
        return [float(value) for value in mean.decode().rstrip(",").split(",")]

    def set_cepstral_mean(self, mean: Sequence[float]) -> None:
        text = ",".join(f"{value:.3f}" for value in mean)
        self._check(self._library.ps_set_cmn(self._decoder, text.encode()), "set the cepstral mean")

    def close(self) -> None:
        """Frees the memory; harmless when done twice."""
        decoder, self._decoder = self._decoder, None
        if decoder is not None:
            self._library.ps_free(decoder)

    def _check(self, status: int, what: str) -> None:
        if status < 0:
            raise RuntimeError(f"pocketsphinx could not {what}")
