"""A small script with everything in it, and a conversation held with its LLM by hand."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from livekit.plugins.script import Script

TABLES = yaml.safe_load("""
help: book a table, cancel one, and tell you when we are open
slots:
  guests: {type: number, min: 1, max: 12, ask: "How many of you?", called: [people]}
  date: {type: date, ask: "Which day?"}
  time: {type: time, ask: ["What time on {date}?", "When on {date}?"], between: ["17:00", "23:00"]}
  name:
    type: name
    ask: Which name?
    remember: true
    names: {first: [anna, tom], last: [bell, hall, baker, barker, parker]}
  phone: {type: phone, optional: true}
  room: {type: choice, optional: true, options: {garden: [outside, terrace], cellar: [downstairs]}}
intents:
  table:
    phrases: ["(book|reserve) a table", "a table [for {guests}] [on {date}]"]
    start: [Gladly.]
    slots: [guests, date, time, name, phone, room]
    confirm:
      - "A table for {guests} on {date} at {time}, for {name}. Right?"
      - "So {guests} people, {date}, {time}, {name}?"
    call:
      tool: reserve
      arguments:
        guests: "{guests}"
        when: "{date}T{time}"
        name: "{name}"
        phone: "{phone}"
        room: "{room}"
    done: ["See you on {date}, {name}. Anything else?"]
    forget: [time]
  drop:
    phrases: ["(cancel|drop) my (table|booking)"]
    slots: {name: }
    lookups:
      - into: booking
        needs: [name]
        tool: find
        arguments: {name: "{name}"}
        pick: bookings
        none: ["Nothing under {name}."]
        which: ["{count} of them: {choices}. Which?"]
        forget: [name]
    confirm: ["That is {booking.when}. Drop it?"]
    call: {tool: drop, arguments: {id: "{booking.id}"}}
    done: [Dropped.]
  open:
    phrases: ["when (are|do) you open", "opening hours"]
    keywords: [opening hours]
    say: [We open at five., From five every day.]
""")

TOOLS = ("reserve", "find", "drop", "end_call")


def clock() -> datetime:
    return datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def mapping() -> dict[str, Any]:
    """A script that a test may spoil."""
    return copy.deepcopy(TABLES)


@pytest.fixture(scope="session")
def script() -> Script:
    return Script.from_mapping(TABLES, clock=clock, timezone="Europe/London", tools=TOOLS)
