"""One caller's utterances, one after another, through one decoder. Plain calls that block: run them in a thread."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pocketsphinx

from .build import ModelFiles
from .channel import Channel
from .dictionary import base_word
from .interjections import NEVER_ALONE, NOISES, sounds_like_laughter
from .native import FRAMES_PER_SECOND, SAMPLE_RATE, Decoder, Segment

_LONGEST_WORD_SECONDS = 1.5  # 1.1 s is the longest that flite's four voices take over 80 sentences
_LEAST_CONFIDENCE = 1e-4  # one hopeless word shall not make a sentence of ten hopeless
_SCRAP_CONFIDENCE, _SCRAP_SECONDS = 0.05, 0.15
_BYTES_PER_SECOND = 2 * SAMPLE_RATE
_FIRST_ANEW_BYTES = int(1.2 * _BYTES_PER_SECOND)  # about half of it is the silence before the speech
_SEARCH: dict[str, str | bool | int | float] = {
    "hmm": pocketsphinx.get_model_path("en-us/en-us"),
    # Wider trust in the language model than pocketsphinx's 6.5, 8.5 and 9.5: ours knows what callers say.
    "lw": 8.0,
    "fwdflatlw": 10.0,
    "bestpathlw": 11.0,
    "wip": 1.0,
    # Wider than the defaults of the first pass: a fifth fewer errors for half as much again of work.
    "beam": 1e-60,
    "pbeam": 1e-60,
    "wbeam": 1e-36,
    "lpbeam": 1e-46,
    "lponlybeam": 1e-36,
    "loglevel": "FATAL",  # it prints an utterance without words as an error
}


@dataclass(frozen=True)
class Word:
    text: str
    start_seconds: float
    "from the start of the utterance"
    end_seconds: float
    confidence: float
    "posterior probability among what else the decoder considered, 0 to 1; 0 in a partial result"


@dataclass(frozen=True)
class Transcript:
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """Geometric mean of the words' confidence, 0 to 1, whatever their number; 0 in a partial result."""
        if not self.words or min(word.confidence for word in self.words) <= 0:
            return 0.0
        return math.exp(sum(math.log(word.confidence) for word in self.words) / len(self.words))

    def is_speech(self, least_confidence: float) -> bool:
        """Of a final result: whether somebody has said this, rather than coughed."""
        words = [word.text for word in self.words]
        noise = NEVER_ALONE.issuperset(words) or sounds_like_laughter(words, times=3)
        return bool(words) and not noise and self.confidence >= least_confidence


class Recognizer:
    """Begin, feed, finish; what is learnt of the caller's channel is kept from one utterance to the next.

    A caller's first seconds are decoded anew whenever there is twice as much of them, with the channel known that much
    better: without that the error rate of the first sentence is twice that of the later ones.
    """

    def __init__(self, files: ModelFiles) -> None:
        self._decoder = Decoder(_SEARCH | {"dict": str(files.dictionary)}, files.language_models)
        self._channel = Channel()
        self._heard = bytearray()
        "the utterance so far, as long as the channel is not known"
        self._better_channel = self._channel
        self._anew_at_bytes = 0
        "how much must have been heard for the next decoding anew; 0: never"
        self._open = False

    def forget_caller(self) -> None:
        """Makes the recogniser as new, for another caller."""
        self._abandon()
        self._channel = self._better_channel = Channel()

    def begin(self) -> None:
        """Starts an utterance; one that was still open is thrown away."""
        self._abandon()
        if not self._channel.is_known:
            self._decoder.set_cepstral_mean(self._channel.mean)
            self._anew_at_bytes = _FIRST_ANEW_BYTES
        self._decoder.start()
        self._open = True

    def feed(self, pcm: bytes) -> Transcript:
        """`pcm`: int16 little endian, 16 kHz mono. The best words so far, which the next sound may change."""
        self._decoder.process(pcm)
        if self._anew_at_bytes:
            self._heard += pcm
            if len(self._heard) >= self._anew_at_bytes:
                self._anew_at_bytes = 2 * len(self._heard)
                self._decode_anew()
        return Transcript(_words(self._decoder.segments(), final=False))

    def finish(self) -> Transcript:
        """Ends the utterance and gives its final words."""
        if self._anew_at_bytes:
            if len(self._heard) < _FIRST_ANEW_BYTES:  # else it was done on the way: the end is no time for much work
                self._decode_anew()
            self._channel = self._better_channel
        self._heard.clear()
        self._anew_at_bytes = 0
        self._decoder.end()
        self._open = False
        return Transcript(without_scraps(_words(self._decoder.segments(), final=True)))

    def recognize(self, pcm: bytes) -> Transcript:
        """The final words of one whole utterance."""
        self.begin()
        self.feed(pcm)
        return self.finish()

    def close(self) -> None:
        self._decoder.close()

    def _decode_anew(self) -> None:
        pcm = bytes(self._heard)
        self._decoder.end()
        self._decoder.start()
        self._decoder.process(pcm, whole=True)  # normalised by its own mean, which is then the running one
        self._decoder.end()
        frames = len(pcm) * FRAMES_PER_SECOND // _BYTES_PER_SECOND
        self._better_channel = self._channel.with_speech(self._decoder.cepstral_mean(), frames)
        self._decoder.set_cepstral_mean(self._better_channel.mean)
        self._decoder.start()
        self._decoder.process(pcm)

    def _abandon(self) -> None:
        if self._open:
            self._decoder.end()
        self._open = False
        self._heard.clear()
        self._anew_at_bytes = 0


def _words(segments: list[Segment], *, final: bool) -> tuple[Word, ...]:
    return tuple(
        Word(
            base_word(segment.word), segment.start_seconds, segment.end_seconds, _confidence(segment) if final else 0.0
        )
        for segment in segments
        if not segment.word.startswith(("<", "[", "+")) and base_word(segment.word) not in NOISES
    )


def without_scraps(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """A breath or a click at either end of speech is heard as a word, too short and too doubtful to be one."""
    kept = [word for word in words if not _is_scrap(word)]
    if not kept:
        return words
    return words[words.index(kept[0]) : words.index(kept[-1]) + 1]


def _is_scrap(word: Word) -> bool:
    return word.confidence < _SCRAP_CONFIDENCE and word.end_seconds - word.start_seconds < _SCRAP_SECONDS


def _confidence(segment: Segment) -> float:
    """Steady noise is heard as one endless word without rival, of which the decoder is sure."""
    if segment.end_seconds - segment.start_seconds > _LONGEST_WORD_SECONDS:
        return 0.0
    return max(segment.probability, _LEAST_CONFIDENCE)
