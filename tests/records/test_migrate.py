from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from voiceworker.records import Records, migrate
from voiceworker.records.database import open_engine, reading
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
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    connection.close()
    assert {file.name for file in path.parent.iterdir()} <= {path.name, f"{path.name}-wal", f"{path.name}-shm"}


def test_the_migrations_make_the_tables_the_code_reads(database_url: str) -> None:
    engine = open_engine(database_url)
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()
