"""What an engine does while its run's database cannot be written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sciflow.engine import records_writer
from sciflow.engine.patience import Patience
from sciflow.engine.records_writer import Writer
from sciflow.errors import RunDamaged


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    monkeypatch.setattr(records_writer, "HELD_S", 0.01)
    return Writer(tmp_path / "run.db", full=False)


@pytest.fixture
def other(writer: Writer) -> sqlite3.Connection:
    """Another program that holds the database."""
    found = sqlite3.connect(writer.path, isolation_level=None)
    found.execute("BEGIN IMMEDIATE")
    return found


def test_a_database_that_another_program_holds_is_waited_for(writer: Writer, other: sqlite3.Connection) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if text:
            other.execute("COMMIT")

    writer.insist = Patience(limit_s=lambda: 60.0, say=say, ends=lambda: False).insist
    writer.put_fact("name", "run")
    writer.commit()
    assert writer.text("name") == "run"
    assert said == ["another program holds the run's database (database is locked): waits for it, 60 s at most", ""]


def test_a_database_that_another_program_holds_for_too_long_is_told_of(
    writer: Writer, other: sqlite3.Connection
) -> None:
    writer.insist = Patience(limit_s=lambda: 0.1, say=lambda _: None, ends=lambda: False).insist
    writer.put_fact("name", "run")
    with pytest.raises(RunDamaged, match="see that no other program writes"):
        writer.commit()
    other.execute("COMMIT")
    writer.commit()
    assert writer.text("name") == "run"
