"""What the agent says about the conversation itself. Every key can be replaced under `wording:` of a script.

Each entry is a list of ways to say it, used in turn, so that no sentence comes twice in a row. `{help}` is the
script's own `help:`, `{question}` the question that is still open.
"""

from __future__ import annotations

from collections.abc import Mapping

DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "greeting": ("Hello, how can I help you?",),
    "help": (
        "I can help you {help}. What would you like?",
        "I'm able to {help}. Which of these can I do for you?",
    ),
    "out_of_domain": (
        "I'm afraid I can't help with that. I can {help}.",
        "That's something I can't do. What I can do is {help}.",
        "Sorry, that's beyond me. I can {help}. Would you like any of these?",
    ),
    "unclear": (
        "Sorry, I didn't catch that.",
        "I'm sorry, I still didn't understand.",
        "I'm having trouble understanding you.",
        "Apologies, that didn't come through clearly either.",
    ),
    "unclear_last": (
        "You can say it in a few words, or say goodbye and call us again later.",
        "We can leave it there if you like, just say never mind.",
    ),
    "anything_else": (
        "Is there anything else I can do for you?",
        "Can I help you with anything else?",
        "Anything else today?",
    ),
    "start": ("Sure.", "Of course.", "Certainly."),
    "changed": ("All right.", "No problem.", "Sure, I've changed that."),
    "what_to_change": (
        "What should I change?",
        "Sorry about that. Which part is wrong?",
        "What would you like instead?",
    ),
    "confirm_unclear": ("Sorry, was that a yes or a no?", "I need a clear yes or no, please."),
    "forgotten": (
        "All right, I'll leave that. Is there anything else?",
        "No problem, I've dropped that. Anything else I can do?",
    ),
    "nothing_to_forget": ("No problem. What can I do for you?", "That's fine. How can I help?"),
    "repeat": ("I said: {last}", "Once more: {last}"),
    "hello": ("Yes, I'm here.", "Hello, I can hear you."),
    "robot": (
        "Yes, I'm an automatic assistant, not a person.",
        "I'm a computer program that answers the phone here.",
    ),
    "how_are_you": ("I'm doing well, thank you.", "Very well, thanks for asking."),
    "ask": ("How can I help?", "What can I do for you?"),
    "thanks": ("You're welcome.", "My pleasure.", "Happy to help."),
    "wait": ("Take your time.", "No hurry, I'll wait.", "Of course, I'm here when you're ready."),
    "apology": ("I'm sorry about that.", "I apologise for the trouble."),
    "goodbye": ("Thank you for calling. Goodbye!", "Thanks for your call. Goodbye!"),
    "goodbye_unfinished": (
        "All right, I haven't changed anything. Goodbye!",
        "Then I'll leave everything as it is. Goodbye!",
    ),
    "failed": ("I'm sorry, {error}", "Unfortunately, {error}"),
    "broken": ("I'm sorry, something went wrong on our side, and that has not been done.",),
    "no_tool": ("I'm sorry, I can't do that at the moment.",),
    "offer": ("I could offer {offers}. Which would you like?", "There is {offers}. Which one suits you?"),
    "which_offer": ("Which would you like?", "Which one suits you?"),
    "which": ("Which one do you mean, {choices}?", "Sorry, which of them: {choices}?"),
    "spell": (
        "I keep hearing another name, sorry. Could you spell the last name for me, letter by letter?",
        "Could you spell the last name slowly, please?",
    ),
    "day_part": ("What time in the {part}?", "Which time of the {part} would you like?"),
}
