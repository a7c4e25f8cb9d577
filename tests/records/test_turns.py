from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy.exc import IntegrityError

from voiceworker.records import Outcome, Overlap, Position, Records, Session, Turn

PARTS = {"end_of_speech": 200, "commit": 100, "transit": 40}


@pytest.fixture(autouse=True)
def _session(records: Records, asked: Session) -> None:
    records.sessions.create(asked)


@pytest.fixture
def answered(noon: datetime) -> Turn:
    return Turn("ses_1", 7, noon, 340, PARTS)


def test_turns_come_in_the_order_of_their_sequence_as_they_were_written(
    records: Records, asked: Session, answered: Turn
) -> None:
    records.sessions.create(replace(asked, id="ses_2"))
    records.turns.put(answered)
    records.turns.put(replace(answered, sequence=3))
    records.turns.put(replace(answered, session="ses_2"))
    assert records.turns.of_session("ses_1") == [replace(answered, sequence=3), answered]


def test_a_turn_told_twice_is_kept_once(records: Records, answered: Turn) -> None:
    records.turns.put(answered)
    records.turns.put(replace(answered, first_audio_ms=500))
    assert [turn.first_audio_ms for turn in records.turns.of_session("ses_1")] == [500]


def test_who_counts_gets_each_turn_and_overlap_once_however_few_he_takes_at_a_time(
    records: Records, answered: Turn, noon: datetime
) -> None:
    records.turns.put(replace(answered, sequence=1))
    position = records.turns.position()
    turns = [replace(answered, sequence=sequence) for sequence in (5, 9, 7)]
    cut = Overlap("ses_1", 10, noon, Outcome.INTERRUPTED)
    restored = Overlap("ses_1", 8, noon, Outcome.RESTORED, "backchannel")
    facts: tuple[Turn | Overlap, ...] = (*turns, cut, restored)
    for fact in facts:
        records.turns.put(fact)
    first = records.turns.added(position, limit=2)
    assert (first.turns, first.overlaps) == (turns[:2], [cut, restored])
    second = records.turns.added(first.position, limit=2)
    assert (second.turns, second.overlaps) == (turns[2:], [])
    last = records.turns.added(second.position, limit=2)
    assert (last.turns, last.overlaps, last.position) == ([], [], second.position)


def test_without_any_turn_the_position_is_the_beginning(records: Records) -> None:
    assert records.turns.position() == Position()


def test_turns_go_with_their_session_and_their_places_are_not_given_out_again(
    records: Records, asked: Session, answered: Turn, noon: datetime, database_url: str
) -> None:
    records.turns.put(answered)
    records.turns.put(Overlap("ses_1", 8, noon, Outcome.INTERRUPTED))
    position = records.turns.position()
    connection = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("DELETE FROM sessions WHERE id = 'ses_1'")
    connection.close()
    assert records.turns.of_session("ses_1") == []
    records.sessions.create(asked)
    records.turns.put(answered)
    assert records.turns.added(position, limit=10).turns == [answered]


def test_a_turn_of_no_session_is_refused(records: Records, answered: Turn) -> None:
    with pytest.raises(IntegrityError):
        records.turns.put(replace(answered, session="ses_other"))


@pytest.mark.parametrize("table", ["turns", "overlaps"])
def test_who_counts_reads_no_whole_table(database_url: str, table: str) -> None:
    connection = sqlite3.connect(database_url.removeprefix("sqlite:///"))
    query = f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE id > 5 ORDER BY id LIMIT 9"
    steps = [step[3] for step in connection.execute(query)]
    newest = [step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN SELECT max(id) FROM {table}")]
    connection.close()
    assert steps == [f"SEARCH {table} USING INTEGER PRIMARY KEY (rowid>?)"]
    assert newest == [f"SEARCH {table}"]
