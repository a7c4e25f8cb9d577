from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import String, text
from sqlalchemy.types import TypeEngine

from voiceworker.dispatch import SESSION_PATTERN, CallRequest
from voiceworker.records import Records, database, migrate, open_records
from voiceworker.records.database import open_engine, reading, writing
from voiceworker.records.tables import metadata


def test_processes_that_start_at_the_same_moment_all_find_the_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new folder' / '100%.db'}"
    program = f"import voiceworker.records as r; r.migrate({url!r}); print(len(r.open_records({url!r}).keys.all()))"
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0].strip() for process in started]
    assert said == ["0"] * 2


def test_a_second_run_changes_nothing_and_leaves_no_lock(database_url: str, records: Records) -> None:
    path = Path(database_url.removeprefix("sqlite:///"))
    migrate(database_url)
    records.check()
    connection = sqlite3.connect(path, timeout=0)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0006",)]
    connection.close()
    assert {file.name for file in path.parent.iterdir()} <= {path.name, f"{path.name}-wal", f"{path.name}-shm"}


def test_the_migrations_make_the_tables_the_code_reads(database_url: str) -> None:
    def differs(
        _context: object, _found: object, _wanted: object, found: TypeEngine[Any], wanted: TypeEngine[Any]
    ) -> bool | None:
        # SQLite keeps a text of any length, so its columns stay as they were made.
        return False if isinstance(found, String) and isinstance(wanted, String) else None

    engine = open_engine(database_url)
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": differs})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_on_postgresql_the_migrations_make_the_columns_as_long_as_the_code_reads_them() -> None:
    said = io.StringIO()
    options = {"as_sql": True, "output_buffer": said}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    folder = ScriptDirectory(str(Path(database.__file__).parent / "migrations"))
    with Operations.context(context):
        for revision in reversed(list(folder.walk_revisions())):
            revision.module.upgrade()
    for table, column in (
        ("sessions", "id"),
        ("sessions", "room"),
        ("sessions", "caller_identity"),
        ("transcript_lines", "session"),
        ("idempotency_keys", "session"),
    ):
        wanted = metadata.tables[table].c[column].type
        assert isinstance(wanted, String)
        assert f"ALTER TABLE {table} ALTER COLUMN {column} TYPE VARCHAR({wanted.length})" in said.getvalue()
    assert said.getvalue().count("id BIGSERIAL NOT NULL") == 3  # turns, overlaps, usage: 2^31 of them are few


def test_columns_hold_the_longest_texts_that_a_dispatch_may_bring() -> None:
    def longest_of(column: str) -> str:
        kind = metadata.tables["sessions"].c[column].type
        assert isinstance(kind, String)
        assert kind.length is not None
        return "x" * kind.length

    identifier = f"ses_{longest_of('id')[4:]}"
    assert SESSION_PATTERN.match(identifier)
    assert not SESSION_PATTERN.match(identifier + "x")
    longest = longest_of("caller_identity")
    assert CallRequest.from_json(json.dumps({"caller": longest})).caller == longest
    with pytest.raises(ValueError, match="at most 256"):
        CallRequest.from_json(json.dumps({"caller": longest + "x"}))


def test_a_database_of_the_first_version_keeps_its_sessions_and_transcripts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = open_engine(url)
    first = ScriptDirectory(str(Path(database.__file__).parent / "migrations")).get_revision("0001")
    with writing(engine) as connection, Operations.context(MigrationContext.configure(connection)):
        first.module.upgrade()
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('0001')"))
        connection.execute(
            text(
                "INSERT INTO sessions (id, agent, status, room, caller_identity, metadata, created_at)"
                " VALUES ('ses_1', 'frontdesk', 'ended', 'ses_1', 'caller-1', '{}', '2026-11-23 12:00:00.000000')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO transcript_lines VALUES"
                " ('ses_1', 1, '2026-11-23 12:00:01.000000', 'agent', 'Hello.', 1, 0, NULL)"
            )
        )
    engine.dispose()
    migrate(url)
    records = open_records(url)
    assert [line.text for line in records.transcripts.lines("ses_1")] == ["Hello."]
    assert records.turns.of_session("ses_1") == []
    records.close()


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("joined_at > '2026' AND joined_at <= '2027'", "ix_sessions_joined_at"),
        ("room IN ('ses_1', 'ses_2') AND status NOT IN ('active', 'dispatched')", "ix_sessions_room"),
    ],
)
def test_what_the_watchdog_asks_again_and_again_reads_no_whole_table(
    database_url: str, condition: str, index: str
) -> None:
    connection = sqlite3.connect(database_url.removeprefix("sqlite:///"))
    [step] = connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM sessions WHERE {condition}").fetchall()
    connection.close()
    assert f"USING INDEX {index}" in step[3]
