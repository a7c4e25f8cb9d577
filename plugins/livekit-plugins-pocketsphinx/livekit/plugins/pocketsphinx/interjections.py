"""The short words of every call, whatever it is about: those of a listener, and those that ask for the floor.

"Mm-hmm" and "stop" are said over an agent that speaks, alone and often softly. An agent's phrases do not hold them, and
general English, which is counted in written dialogue, gives them little: without a share of their own they are heard as
"the" and "it's", which would stop an agent that should go on. Which of them stops it is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

GRAMMAR = """#JSGF V1.0;
grammar interjections;
<sound> = /4/ mm-hmm | /2/ mhm | /3/ uh-huh | /1/ mm | /1/ hmm | /1/ ah | /1/ oh | /.5/ aha | /.3/ wow;
<word> = /6/ yeah | /6/ okay | /4/ right | /3/ yes | /2/ sure | /2/ yep | /.5/ yup | /1/ alright | /2/ all right
  | /1/ great | /1/ good | /1/ nice | /1/ cool | /1/ exactly | /1/ fine | /1/ perfect | /.5/ really | /.5/ true
  | /.5/ lovely | /.5/ thanks | /.5/ absolutely;
<phrase> = /4/ i see | /4/ got it | /2/ of course | /1/ i understand | /1/ sounds good | /1/ that's right
  | /1/ makes sense | /1/ thank you | /1/ go on | /1/ no problem | /1/ understood | /.5/ i know;
<listening> = /3/ <sound> | /3/ <word> | /2/ <phrase>;
public <listen> = /6/ <listening> | /1/ oh (<word> | <phrase> | wow | no) | /1/ <sound> (<word> | <phrase>)
  | /1/ <word> <listening> | /.5/ <sound> <sound> | /.5/ <word> <word> <word>;
<moment> = minute | second | moment | sec;
<stop> = /8/ stop | /6/ wait | /5/ hold on | /3/ hang on | /3/ no | /2/ no no no | /1/ no no | /3/ sorry | /3/ excuse me
  | /1/ stop it | /1/ stop talking | /1/ stop stop | /1/ wait wait | /2/ (wait | hold on | hang on | just) a <moment>
  | /1/ (one | just one) <moment> | /1/ please (stop | wait) | /1/ (stop | wait | quiet) please | /.5/ be quiet
  | /.5/ shut up | /.5/ quiet | /.5/ enough | /1/ that's enough | /.5/ pause | /1/ never mind | /1/ forget it
  | /1/ cancel that | /1/ hello | /.5/ hey | /.5/ listen | /.5/ pardon | /.3/ help | /.3/ goodbye
  | /1/ let me (stop you | finish | speak | talk) | /.5/ can i (say | ask) something | /.5/ i have a question
  | /1/ sorry what | /1/ actually | /1/ actually no | /1/ that's (not right | wrong | not it);
public <interrupt> = /4/ <stop> | /1/ (okay | no | sorry | yeah | um | uh | hey) <stop>;
public <laugh> = <laughter>+;
<laughter> = laughing-noise;
"""
"""JSGF 1.0. The weights are a person's guess at how often each is said alone, all of them within a factor of 20."""

_OPEN = ("AH", "AE", "AA", "EH", "IH")
PRONUNCIATIONS: Mapping[str, list[str]] = {
    "mm-hmm": ["M HH M", "M HH AH M", "M M HH AH M"],
    "mhm": ["M HH M", "AH M HH AH M"],
    "mm": ["M", "M M", "AH M"],
    "hmm": ["HH M", "HH M M", "HH AH M"],
    "uh-huh": ["AH HH AH", "AH HH AA", "AH N HH AH N"],
    "laughing-noise": [" ".join(f"HH {vowel}" for _ in range(syllables)) for vowel in _OPEN for syllables in (2, 3)],
}
"""ARPAbet of the sounds, instead of what the dictionary has."""

NOISES = frozenset({"laughing-noise"})
"""Heard like words and never told."""

_ALONE = """mm-hmm mhm mm hmm uh-huh ah oh aha wow yeah okay ok right yes sure yep yup alright great good nice cool
exactly fine perfect really true lovely thanks absolutely understood um uh er hm"""
_PAIRS = "all right, i see, got it, of course, i understand, sounds good, that's right, makes sense, thank you, go on"
LISTENING = frozenset({(word,) for word in _ALONE.split()} | {tuple(pair.split()) for pair in _PAIRS.split(",")})
"""What does not stop an agent as a rule: shown early, it tells that there is a voice with words."""

_ASKING = """stop, wait, hold on, hang on, excuse me, sorry, shut up, please stop, please wait, no no, be quiet,
just a moment, just a minute, just a second, one moment, one second, one minute, that's enough, never mind"""
INTERRUPTING = frozenset(tuple(phrase.split()) for phrase in _ASKING.split(","))
"""What has to stop an agent at once, by the first words."""

NEVER_ALONE = frozenset(
    "the a an and of at in but as if or it's that's he she they you're there's can i'm i'd i'll".split()  # noqa: SIM905
)
"""No utterance consists of these; what seems to is a noise, or a listener's "mm"."""

_SAID_AGAIN = frozenset({"i", "no", "oh", "ok", "so", "go", "hi"})


def sounds_like_laughter(words: Sequence[str], times: int) -> bool:
    """Whether a word of a letter or two comes so many times in a row: "f f f f" and "up up up" are laughs."""
    runs = ((word, len(list(same))) for word, same in groupby(words))
    return any(count >= times and len(word) <= 2 and word not in _SAID_AGAIN for word, count in runs)
