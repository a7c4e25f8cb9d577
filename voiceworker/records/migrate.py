"""Brings a database to the tables this version needs. The API and the worker both do so when they start."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from voiceworker.config import PREFIX, ConfigError
from voiceworker.records.database import open_engine, writing

_MIGRATIONS = Path(__file__).parent / "migrations"
_one_at_a_time = threading.Lock()
"Alembic keeps its context in module globals"


def migrate(database_url: str) -> None:
    """Runs the migrations that are missing, all or none of them.

    Safe when several processes start at the same moment: the whole run is one transaction that excludes the others;
    the second one finds nothing left to do. Raises ConfigError, one line with the remedy.
    """
    from alembic.util import CommandError  # here, because only a starting process needs it

    try:
        _upgrade(database_url)
    except CommandError as error:
        # Alembic does not know the revision it finds: somebody has run a newer version on this database.
        raise ConfigError(f"the records are not of this version: {error}; run the version that wrote them") from None
    except (SQLAlchemyError, ImportError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise ConfigError(f"{PREFIX}DATABASE_URL: the records cannot be opened: {reason}") from None


def _upgrade(database_url: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    engine = open_engine(database_url)
    try:
        with _one_at_a_time, writing(engine, alone="migrations") as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
