"""One caller's utterances, one after another, through one decoder. Plain calls that block: run them in a thread."""

from __future__ import annotations

from dataclasses import dataclass

import pocketsphinx

from .build import ModelFiles
from .dictionary import base_word
from .native import SAMPLE_RATE, Decoder, Segment

_BYTES_PER_SECOND = 2 * SAMPLE_RATE
_MODEL_MEAN = "40,3,-1"  # where the acoustic model starts from: pocketsphinx's own default
_SEARCH: dict[str, str | bool | int | float] = {
    "hmm": pocketsphinx.get_model_path("en-us/en-us"),
    # Wider trust in the language model than pocketsphinx's 6.5, 8.5 and 9.5: ours knows what callers say.
    "lw": 8.0,
    "fwdflatlw": 10.0,
    "bestpathlw": 11.0,
    "wip": 1.0,
}


@dataclass(frozen=True)
class Word:
    text: str
    start_seconds: float
    "from the start of the utterance"
    end_seconds: float
    confidence: float
    "posterior probability, 0 to 1; 0 in a partial result"


@dataclass(frozen=True)
class Transcript:
    words: tuple[Word, ...]
    confidence: float
    "0 to 1; 0 in a partial result"

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


class Recognizer:
    """Begin, feed, finish; what the decoder learns of the caller's channel is kept from one utterance to the next.

    The first utterance of a caller is held back until `adapt_seconds` of it are there: the channel's mean is taken from
    them, without which the error rate of a first sentence is nearly twice that of the later ones.
    """

    def __init__(self, files: ModelFiles, *, adapt_seconds: float = 1.0) -> None:
        self._decoder = Decoder(_SEARCH | {"dict": str(files.dictionary)}, files.language_models)
        self._adapt_bytes = int(adapt_seconds * _BYTES_PER_SECOND)
        self._held: bytearray | None = None
        self._open = False
        self.forget_caller()

    def forget_caller(self) -> None:
        """Makes the decoder as new, for another caller."""
        self._abandon()
        self._decoder.set_cepstral_mean(_MODEL_MEAN)
        self._adapted = False

    def begin(self) -> None:
        """Starts an utterance; one that was still open is thrown away."""
        self._abandon()
        if self._adapted:
            self._decoder.start()
        else:
            self._held = bytearray()
        self._open = True

    def feed(self, pcm: bytes) -> None:
        """`pcm`: int16 little endian, 16 kHz mono."""
        if self._held is None:
            self._decoder.process(pcm)
            return
        self._held += pcm
        if len(self._held) >= self._adapt_bytes:
            self._adapt()

    def partial(self) -> Transcript:
        """The best words so far."""
        if self._held is not None:
            return Transcript((), 0.0)
        return Transcript(_words(self._decoder.segments(), final=False), 0.0)

    def finish(self) -> Transcript:
        """Ends the utterance and gives its final words."""
        if self._held:
            self._adapt()
        if self._held is not None:  # nothing was fed
            self._held, self._open = None, False
            return Transcript((), 0.0)
        self._decoder.end()
        self._open = False
        segments = self._decoder.segments()
        return Transcript(_words(segments, final=True), self._decoder.probability())

    def recognize(self, pcm: bytes) -> Transcript:
        """The final words of one whole utterance."""
        self.begin()
        self.feed(pcm)
        return self.finish()

    def close(self) -> None:
        self._decoder.close()

    def _adapt(self) -> None:
        assert self._held is not None
        pcm, self._held = bytes(self._held), None
        # A whole utterance is normalised by its own mean, which then stays as the running one.
        self._decoder.start()
        self._decoder.process(pcm, whole=True)
        self._decoder.end()
        self._adapted = True
        self._decoder.start()
        self._decoder.process(pcm)

    def _abandon(self) -> None:
        if self._open and self._held is None:
            self._decoder.end()
        self._held, self._open = None, False


def _words(segments: list[Segment], *, final: bool) -> tuple[Word, ...]:
    return tuple(
        Word(base_word(segment.word), segment.start_seconds, segment.end_seconds, segment.probability if final else 0.0)
        for segment in segments
        if not segment.word.startswith(("<", "[", "+"))  # fillers: silence, breath, noise
    )
