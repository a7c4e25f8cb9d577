"""The caller speaks while the agent does: go on, lower the voice, or stop? Pure.

A person who is spoken over lowers the voice at once and decides a moment later. So does this: the voice detector's
onset ducks (heard about 160 ms after the caller began), and the words, which come some 300 to 550 ms after it, decide
whether the agent goes on ("mm-hmm", a cough) or stops ("stop", "but what does it cost?").

What happens is told by the methods, each with `now` in seconds of any monotonic clock. After each of them, and at
`deadline()`, ask `due(now)` and execute its commands in order; then act upon the verdict that `transcript` gave:
a cut goes ahead of the text that caused it. A cut takes the duck with it: the gain is to be left alone until the
playback has ended, and to be 1 for the next speech; no Restore follows.
"""

from voiceworker.policy.overlap.decisions import Overlap
from voiceworker.policy.overlap.terms import (
    Command,
    Cut,
    Duck,
    OverlapSettings,
    Policy,
    Release,
    Restore,
    RestoreReason,
    Situation,
    Verdict,
    VerdictReason,
)

__all__ = [
    "Command",
    "Cut",
    "Duck",
    "Overlap",
    "OverlapSettings",
    "Policy",
    "Release",
    "Restore",
    "RestoreReason",
    "Situation",
    "Verdict",
    "VerdictReason",
]
