"""Providers that are not there: Deepgram and OpenAI on loopback, in the providers' own wire formats.

The stock plugins run on them unmodified by their `base_url`. Each answers after settled delays, with seeded faults,
and bills what it received and produced.
"""

from voiceworker.lab.emulators.bill import Account, Bill, Role
from voiceworker.lab.emulators.delays import FAST, SLOW, TYPICAL, Delays
from voiceworker.lab.emulators.faults import Fault, Faults
from voiceworker.lab.emulators.replies import Conversation, Replies, Reply, Sentences, ToolCall, scripted
from voiceworker.lab.emulators.requests import Request, Transcript
from voiceworker.lab.emulators.server import ProviderEmulators

__all__ = [
    "FAST",
    "SLOW",
    "TYPICAL",
    "Account",
    "Bill",
    "Conversation",
    "Delays",
    "Fault",
    "Faults",
    "ProviderEmulators",
    "Replies",
    "Reply",
    "Request",
    "Role",
    "Sentences",
    "ToolCall",
    "Transcript",
    "scripted",
]
