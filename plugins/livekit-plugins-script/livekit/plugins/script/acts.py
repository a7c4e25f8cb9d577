"""What a caller does besides wanting something: agree, refuse, ask for a repetition, say goodbye."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

from .errors import Path
from .phrases import Phrase, parse
from .words import Words, split


class Act(Enum):
    YES = "yes"
    NO = "no"
    FORGET = "forget"
    CHANGE = "change"
    REPEAT = "repeat"
    WAIT = "wait"
    HELLO = "hello"
    HELP = "help"
    ROBOT = "robot"
    HOW_ARE_YOU = "how_are_you"
    THANKS = "thanks"
    APOLOGY = "apology"
    GOODBYE = "goodbye"
    ANY = "any"
    "`either is fine`: the choice is left to the agent."


SPEECH: Mapping[Act, tuple[str, ...]] = {
    Act.YES: (
        "yes", "yeah", "yep", "yup", "yes please", "yeah sure", "sure", "correct", "right", "exactly", "absolutely",
        "definitely", "certainly", "of course", "okay", "fine", "perfect", "great", "lovely", "wonderful", "mhm",
        "that's (it|right|correct|fine|perfect|great|good|okay|lovely)", "that is (right|correct|fine|good)",
        "(all|sounds|that sounds|looks) (good|right|great|fine|perfect|correct)", "that (works|will do|would be great)",
        "that'll do", "that would be (fine|good|perfect|lovely)", "(go|please go) ahead", "please do",
        "(do|book|confirm) it [please]", "you got it", "no problem", "spot on", "i do", "it is",
        "i would", "that suits me",
        "(yes|yeah|correct|right) (go ahead|please do|that's right|that's correct|that is correct)", "works for me",
        "all correct",
    ),
    Act.NO: (
        "no", "nope", "nah", "no thanks", "no thank you", "not (quite|really|right|correct|that|yet)", "wrong",
        "incorrect",
        "that's (wrong|not right|not it|not correct|not what i said|incorrect)",
        "that is (wrong|not right|not correct)",
        "that isn't (right|it|correct)", "that's no good", "i don't think so", "i didn't say that", "please don't",
        "don't (do that|book it|do it)", "it isn't", "it's not", "that doesn't (work|suit me)", "neither",
        "none of (them|those|these)", "not at all", "you got (it|that) wrong", "no good",
    ),
    Act.FORGET: (
        "(forget|drop|scrap|leave) (it|that|this|about it|the whole thing)", "nevermind", "(don't|do not) bother",
        "cancel (it|that|this|everything)", "stop (that|this)", "stop", "let's leave it", "start (over|again)",
        "i don't want (it|that|to) anymore", "i've changed my mind", "i changed my mind", "let me think about it",
        "forget about (it|that)", "doesn't matter", "it doesn't matter",
    ),
    Act.CHANGE: (
        "change", "instead", "rather", "different", "another", "other", "make it", "actually", "i mean", "i meant",
        "sorry", "wait", "correction", "a change",
    ),
    Act.REPEAT: (
        "(say|repeat) (that|it) [again] [please]", "say again", "repeat", "(can|could) you repeat that",
        "what did you say", "pardon", "pardon me", "come again", "(i didn't|i did not) (hear|catch|get) (that|you)",
        "what was that", "once more", "what", "sorry what", "one more time", "excuse me",
    ),
    Act.WAIT: (
        "(wait|hold on|hang on|bear with me)", "[just] (one|a) (moment|second|minute)",
        "(give|let) me [a] (moment|second|minute|think|check|see|look)", "wait a (moment|minute|second)",
        "(hold|hang) on a (moment|minute|second)", "let me check [my] [calendar|diary]",
    ),
    Act.HELLO: (
        "hello", "hi", "hey", "hello there", "hi there", "good (morning|afternoon|evening)",
        "are you [still] there", "i'm [still] here", "yes i'm [still] here",
        "anybody there", "is anybody there", "can you hear me",
    ),
    Act.HELP: (
        "help", "help me", "what can you do", "what can i (say|ask|do)", "how does this work",
        "what (else|all) can you do",
        "what are my options", "what do you do",
    ),
    Act.ROBOT: (
        "(are you|is this) (a|an|real) (robot|machine|computer|bot|person|human|recording)",
        "am i (speaking|talking) to a (robot|machine|computer|bot|person|human|recording)",
        "are you (a real|an actual) (person|human|woman|man)", "are you (human|real)", "who are you", "who is this",
        "who am i (speaking|talking) (to|with)", "what are you",
        "are you an (automatic|automated) [assistant|system|machine]",
    ),
    Act.HOW_ARE_YOU: ("how are you [doing] [today]", "how's it going", "how do you do"),
    Act.THANKS: (
        "thanks", "thank you", "thank you [very|so] much", "thanks a lot", "cheers", "many thanks",
        "that's (kind|very kind|helpful)", "much appreciated",
    ),
    Act.APOLOGY: (
        "this is (ridiculous|terrible|annoying|frustrating)", "you're (useless|terrible|not listening)",
        "you don't understand [me]", "you are not listening",
    ),
    Act.GOODBYE: (
        "goodbye", "bye", "bye for now", "see you", "see you (then|later|soon|on|there)", "that's all", "that is all",
        "that's all [thank you|thanks|for now|for today|i need|i needed]", "that's everything", "nothing else",
        "that'll be all", "that will be all", "nothing more",
        "have a (good|nice|great|lovely) (day|one|evening|weekend)",
        "that's (all|everything) [thank you|thanks] [goodbye|bye]",
        "no [thank you] that's (all|everything|it) [thank you]",
        "thank you goodbye",
        "i'm done",
        "i'm all set",
        "we're done",
        "hang up",
        "no that's it",
        "no that's all",
        "no that's everything",
        "i have to go", "talk to you later",
    ),
    Act.ANY: (
        "either", "either is fine", "any [time|day|of them]", "whichever", "whatever", "i don't mind", "you choose",
        "don't care", "whenever", "any is fine", "no preference", "the earliest", "as soon as possible",
        "earliest you have", "soonest",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Acts:
    """The acts found in one utterance."""

    found: frozenset[Act]
    covered: frozenset[int]
    "Indices of the words that say them."

    def __contains__(self, act: Act) -> bool:
        return act in self.found


def act_phrases() -> dict[Act, tuple[Phrase, ...]]:
    """Every act's phrases, read."""
    path: Path = ("acts",)
    return {act: tuple(parse(text, path) for text in texts) for act, texts in SPEECH.items()}


@cache
def _sequences() -> tuple[tuple[tuple[str, ...], Act], ...]:
    pairs = {
        (words, act) for act, phrases in act_phrases().items() for phrase in phrases for words in phrase.expansions()
    }
    return tuple(sorted(pairs, key=lambda pair: (-len(pair[0]), pair[0], pair[1].value)))


def find_acts(words: Words, taken: Collection[int] = ()) -> Acts:
    """The acts in an utterance, longest wording first, each word used once."""
    used = set(taken)
    covered: set[int] = set()
    found: set[Act] = set()
    for sequence, act in _sequences():
        length = len(sequence)
        for start in range(len(words) - length + 1):
            span = range(start, start + length)
            if words.tokens[start : start + length] == sequence and used.isdisjoint(span):
                used.update(span)
                covered.update(span)
                found.add(act)
    return Acts(frozenset(found), frozenset(covered))


def vocabulary() -> frozenset[str]:
    """Every word of every act."""
    return frozenset(word for sequence, _ in _sequences() for word in sequence) | frozenset(split("yes no").tokens)
