"""Is this a listener's "mm-hmm", a "stop", or speech? Decided from the text and the lexicon of its language; pure.

A text is a backchannel when all its words are a listener's words ("yeah okay right"), nothing when it has no word but
hesitations ("um": the caller may be about to speak, so it decides nothing), stop when it begins with a stop word,
whatever may have been said before it by way of listening ("okay, wait"), and speech otherwise. "No" is speech.

The lexicons are data: lexicons/LANGUAGE.toml, with the sounds of lexicons/und.toml added to each. A language without
a lexicon has those sounds alone: everything else is speech, and cuts.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import resources
from typing import Literal

Kind = Literal["backchannel", "stop", "speech", "nothing"]
Aside = Literal["no", "perhaps", "surely"]
Phrase = tuple[str, ...]
Phrases = frozenset[Phrase]

HEARD_SHARE = 0.4
"""of a question's sentence, so much has to be said: people answer before its end, not at its first word; what is told
to have been heard is a word short"""
ECHO_SHARE = 0.6
"of an echo's words this many are the agent's own: recognisers mishear an echo"

_APOSTROPHES = re.compile("['’‘`´ʼ]")
# Lengthening marks of Japanese and Arabic, and the short vowels that Arabic writes now and then.
_MARKS = re.compile("[ー〜~～\u0307\u0640\u064b-\u0652\u093c\u200c\u200d]")
# Letters that are written one way or the other: alif with and without hamza, final ya and ta marbuta, nasal signs.
_LETTERS = str.maketrans("أإآىةँ", "ااايهं")
_NOTES = re.compile(r"[\[(<*♪][^\])>*♪\d]*[\])>*♪]")
# Vowel signs are marks, which are no letters for the regular expression, but parts of a word.
_WORD = re.compile("(?:[^\\W_]|[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0951-\u0963])+")
_TERMINATOR = re.compile(r"[.!?…؟][\"'”’)\]]*(?=\s|$)|[。！？][”」]?|।")
_RUN = re.compile(r"(.)\1{2,}")
_DOUBLE = re.compile(r"(.)\1+")
_VOCAL = re.compile("[mhuaoe]+")


class BadLexicon(ValueError):
    """A lexicon's file cannot be read; the message names the key."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Phrases of one language, normalised to tuples of words (of characters, where words are not separated)."""

    language: str
    spaced: bool
    "whether words are separated by spaces"
    yes: Phrases
    "a listener's words that would also answer a yes/no question"
    no: Phrases
    listener: Phrases
    "a listener's words that answer nothing"
    hesitation: Phrases
    repair: Phrases
    "words that ask for a repetition when they end in a question mark"
    stop: Phrases
    surely_aside: Phrases
    "said to somebody else in the room"
    perhaps_aside: Phrases
    "said to somebody else if softly, or with a name"
    names: Phrases
    greetings: Phrases
    addressed: Phrases
    "what speech that is meant for the agent begins with"
    openers: Phrases
    "what a yes/no question begins with, ahead of a subject"
    subjects: Phrases
    offers: Phrases
    "what a yes/no question begins with, whatever follows"
    tags: Phrases
    "what a yes/no question ends with, as a rule"
    endings: tuple[str, ...]
    "letters that end a yes/no question, with or without a question mark"
    question_words: Phrases
    "a question with one of these wants more than a yes"
    question_word_first: bool
    "whether they stand at the sentence's beginning"

    @property
    def listening(self) -> Phrases:
        return self.yes | self.listener | self.hesitation

    def all_phrases(self) -> Iterator[Phrases]:
        for member in fields(self):
            value = getattr(self, member.name)
            if isinstance(value, frozenset):
                yield value


_LISTS = (
    "yes", "no", "listener", "hesitation", "repair", "stop", "surely_aside", "perhaps_aside", "names", "greetings",
    "addressed", "openers", "subjects", "offers", "tags", "question_words",
)  # fmt: skip
_KEYS = frozenset({*_LISTS, "spaced", "endings", "question_word_first"})


def read_lexicon(language: str, *texts: str) -> Lexicon:
    """A lexicon of TOML texts, added up; the keys are `Lexicon`'s. Raises BadLexicon."""
    tables = [_table(language, text) for text in texts]
    spaced = all(table.get("spaced", True) for table in tables)

    def gathered(key: str) -> list[str]:
        phrases: list[str] = []
        for table in tables:
            value = table.get(key, [])
            if not isinstance(value, list) or not all(isinstance(phrase, str) for phrase in value):
                raise BadLexicon(f"{language}: {key} has to be a list of texts")
            phrases += value
        return phrases

    return Lexicon(
        language,
        spaced,
        endings=tuple(_plain(ending) for ending in gathered("endings")),
        question_word_first=all(table.get("question_word_first", True) for table in tables),
        **{key: _phrases(gathered(key), spaced=spaced) for key in _LISTS},
    )


@lru_cache
def lexicon_of(language: str) -> Lexicon:
    """The lexicon of a language tag ("en", "pt-BR"), as it is packaged; the sounds alone for a language without one."""
    folder = resources.files("voiceworker.policy") / "lexicons"
    primary = language.replace("_", "-").split("-")[0].lower()
    texts = [(folder / "und.toml").read_text(encoding="utf-8")]
    if primary != "und" and (file := folder / f"{primary}.toml").is_file():
        texts.append(file.read_text(encoding="utf-8"))
    return read_lexicon(primary, *texts)


class Backchannels:
    """What a language's lexicon tells about texts; `extra`: an agent's own listener's words."""

    def __init__(self, lexicon: Lexicon, extra: Iterable[str] = ()) -> None:
        self._lexicon = lexicon
        added = _phrases(extra, spaced=lexicon.spaced)
        self._yes = lexicon.yes | added
        self._listening = lexicon.listening | added
        self._singles = frozenset(phrase[0] for phrase in self._listening if len(phrase) == 1)
        everything = [phrase for phrases in lexicon.all_phrases() for phrase in phrases] + [*added]
        self._longest = max(map(len, everything), default=0)
        self._known_words = frozenset(word for phrase in everything for word in phrase)
        plain = {_without_accents(word): word for word in sorted(self._known_words) if len(word) > 1}
        self._spellings = plain | {word: word for word in self._known_words}

    def kind(self, text: str) -> Kind:
        words = self._words(text)
        if text.rstrip().endswith(("?", "？", "؟")) and words in self._lexicon.repair:
            return "speech"
        reached = self._listened(words)
        if len(words) in reached:
            return "nothing" if self._hesitates(words) else "backchannel"
        return "stop" if self._stops(words, reached) else "speech"

    def count(self, text: str) -> int:
        """How many words; of two characters each where nothing separates them."""
        words = self._words(text)
        return len(words) if self._lexicon.spaced else (len(words) + 1) // 2

    def answers(self, text: str) -> bool:
        """Whether a word of it answers yes."""
        words = self._words(text)
        return any(self._matched(words, at, self._yes) for at in range(len(words)))

    def may_become(self, text: str) -> Literal["backchannel", "aside"] | None:
        words, lexicon = self._words(text), self._lexicon
        if not words or len(words) in self._reach(words, lexicon.no):
            return None
        if any(self._begins(words[at:], self._listening) for at in self._listened(words)):
            return "backchannel"
        starts = self._reach(words, self._listening | lexicon.names)
        # A remark's first word has to be whole, and no stop word: "sto" is the beginning of too much else.
        rests = [words[at:] for at in starts if at < len(words) and words[at] in self._known_words]
        if any(self._begins(rest, lexicon.stop) for rest in rests):
            return None
        begun = any(self._begins(rest, lexicon.surely_aside | lexicon.perhaps_aside) for rest in rests)
        return "aside" if begun or self.aside(text) != "no" else None

    def aside(self, text: str) -> Aside:
        words, lexicon = self._words(text), self._lexicon
        fillers = self._listening | lexicon.names
        remarks = lexicon.surely_aside | lexicon.perhaps_aside
        if not words or len(words) not in self._reach(words, remarks | fillers):
            return "no"
        named = any(self._matched(words, at, lexicon.names) for at in range(len(words)))
        if any(self._matched(words, at, lexicon.surely_aside) for at in range(len(words))):
            return "surely"
        if any(self._matched(words, at, lexicon.perhaps_aside) for at in range(len(words))):
            return "surely" if named else "perhaps"
        return "perhaps" if named else "no"

    def greets(self, text: str) -> bool:
        """Whether it is a greeting and no more than that."""
        words = self._words(text)
        greeting = any(self._matched(words, at, self._lexicon.greetings) for at in range(len(words)))
        return greeting and len(words) in self._reach(words, self._listening | self._lexicon.greetings)

    def addressed(self, text: str) -> bool:
        """Whether it begins like something that is meant for the agent, not for somebody else in the room."""
        words = self._words(text)
        return any(self._matched(words, at, self._lexicon.addressed) for at in self._listened(words))

    def asks(self, heard: str, upcoming: str = "") -> bool:
        """Whether the sentence that the agent is saying, or has just said, asks what a listener's word would answer.

        `heard`: the speech so far; `upcoming`: what follows, as far as it is known. Of an unfinished sentence a good
        part has to be said.
        """
        sentence = _last_sentence(heard.rstrip())
        if not _TERMINATOR.search(sentence):
            end = _TERMINATOR.search(upcoming)
            whole = sentence + (upcoming if end is None else upcoming[: end.end()])
            if len(sentence.strip()) < HEARD_SHARE * len(whole.strip()):
                return False
            sentence = whole
        return self._is_question(sentence.strip())

    def repeats(self, text: str, said: str) -> bool:
        """Whether most words of the text are among the agent's own."""
        words, own = self._words(text), frozenset(self._words(said))
        return bool(words) and sum(word in own for word in words) >= ECHO_SHARE * len(words)

    def _is_question(self, sentence: str) -> bool:
        lexicon = self._lexicon
        marked = re.search(r"[?？؟;][\"'”’)\]」]*$", sentence) is not None
        words = self._words(sentence)
        if not words:
            return False
        plain = "".join(words)
        wanting = self._has_question_word(words)
        if lexicon.endings and plain.endswith(lexicon.endings):
            return not wanting
        if _TERMINATOR.search(sentence) and not marked:
            return False
        clause = self._words(re.split("[,;:،、，–—]", sentence)[-1]) or words
        if self._opens(words) or self._opens(clause) or any(words[-len(tag) :] == tag for tag in lexicon.tags):
            return True
        return marked and not wanting

    def _opens(self, words: Phrase) -> bool:
        """Begins like a yes/no question, after a listener's word or two ("okay, shall I")."""
        starts = self._listened(words)
        if any(self._matched(words, at, self._lexicon.offers) for at in starts):
            return True
        return any(
            self._matched(words, at + length, self._lexicon.subjects)
            for at in starts
            for length in self._matched(words, at, self._lexicon.openers)
        )

    def _has_question_word(self, words: Phrase) -> bool:
        places = sorted(self._listened(words)) if self._lexicon.question_word_first else range(len(words))
        return any(self._matched(words, at, self._lexicon.question_words) for at in places)

    def _stops(self, words: Phrase, listened: set[int]) -> bool:
        lexicon = self._lexicon
        starts = listened | self._reach(words, self._listening | lexicon.no)
        if any(self._matched(words, at, lexicon.stop) for at in starts):
            return True
        return any(
            self._matched(words, at + length, lexicon.no)
            for at in listened
            for length in self._matched(words, at, lexicon.no)
        )

    def _words(self, text: str) -> Phrase:
        """The text's words, each in the lexicon's own spelling where it is one of the lexicon's."""
        return tuple(known for word in _words(text, spaced=self._lexicon.spaced) for known in self._known(word))

    def _known(self, word: str) -> Phrase:
        for spelling in _spellings(word):
            if spelling in self._spellings:
                return (self._spellings[spelling],)
        for size in range(1 if _is_hangul(word) else 2, len(word) // 2 + 1):
            if len(word) % size == 0 and word == word[:size] * (len(word) // size) and word[:size] in self._singles:
                return (word[:size],) * (len(word) // size)
        return (word,)

    def _matched(self, words: Phrase, at: int, phrases: Phrases) -> list[int]:
        """The lengths of the phrases that stand at this place."""
        longest = min(len(words) - at, self._longest)
        return [size for size in range(1, longest + 1) if words[at : at + size] in phrases]

    def _begins(self, words: Phrase, phrases: Phrases) -> bool:
        """Whether the words are the beginning of a phrase; the last of them may be cut off, if it is no known word."""
        if not words:
            return False
        *whole, last = words
        cut_off = last not in self._known_words
        return any(
            len(phrase) >= len(words)
            and phrase[: len(whole)] == tuple(whole)
            and (phrase[len(whole)].startswith(last) if cut_off else phrase[len(whole)] == last)
            and phrase != words
            for phrase in phrases
        )

    def _listened(self, words: Phrase) -> set[int]:
        return self._reach(words, self._listening)

    def _hesitates(self, words: Phrase) -> bool:
        listening = self._yes | self._lexicon.listener
        return words not in listening and len(words) in self._reach(words, self._lexicon.hesitation - listening)

    def _reach(self, words: Phrase, phrases: Phrases) -> set[int]:
        """The places up to which the words are made of these phrases alone."""
        reached = {0}
        for at in range(len(words)):
            if at in reached:
                reached |= {at + length for length in self._matched(words, at, phrases)}
        return reached


def _table(language: str, text: str) -> Mapping[str, object]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadLexicon(f"{language}: {error}") from error
    if unknown := sorted(set(table) - _KEYS):
        raise BadLexicon(f"{language}: unknown key {unknown[0]}; known are {', '.join(sorted(_KEYS))}")
    return table


def _phrases(texts: Iterable[str], *, spaced: bool) -> Phrases:
    return frozenset(words for text in texts if (words := _words(text, spaced=spaced)))


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _MARKS.sub("", _APOSTROPHES.sub("", text)).translate(_LETTERS)


def _words(text: str, *, spaced: bool) -> Phrase:
    """Words without case, punctuation and notes in brackets ("[laughter]"); single characters where nothing separates
    words."""
    words = _WORD.findall(_plain(_NOTES.sub(" ", text)))
    words = [_DOUBLE.sub(r"\1", word) if _VOCAL.fullmatch(word) else word for word in words]
    return tuple(words) if spaced else tuple("".join(words))


def _spellings(word: str) -> Iterator[str]:
    """How a lengthened word ("yeahhh", "okaaay") may be spelt without its lengthening, likely spellings first."""
    yield word
    yield _RUN.sub(r"\1\1", word)
    yield _RUN.sub(r"\1", word)
    if len(word) > 2 and word[-1] == word[-2]:
        yield word[:-1]


def _without_accents(word: str) -> str:
    letters = unicodedata.normalize("NFD", word)
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", letters))


def _is_hangul(word: str) -> bool:
    return all("\uac00" <= letter <= "\ud7a3" for letter in word)


def _last_sentence(text: str) -> str:
    ends = [end.end() for end in _TERMINATOR.finditer(text)]
    if ends and ends[-1] == len(text):
        ends.pop()
    return text[ends[-1] :] if ends else text
