"""Whether a storage of the settings works: for `sciflow doctor NAME`."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sciflow.config import Tables
from sciflow.errors import SciflowError
from sciflow.executors.checkup.finding import Finding, bad, ok
from sciflow.runner.failures import PlaceError
from sciflow.storage.storage import Storage

TRIP_BYTES = 4 << 20
PATIENCE_S = 5.0  # with a server that does not answer: somebody sits here


def describe_storage(table: Mapping[str, Any]) -> str:
    """A storage in a line."""
    where = [table[key] for key in ("endpoint", "path") if key in table]
    where += [f"{key} {table[key]}" for key in ("bucket", "prefix") if table.get(key)]
    return f"{table.get('type')}: {', '.join(map(str, where))}" if where else str(table.get("type"))


def examine_storage(name: str, tables: Tables) -> Iterator[Finding]:
    """Whether a file comes back from it as it went, and can be removed."""
    from sciflow.storage.registry import check_storage, make_storage

    try:
        check_storage(name, tables)
        yield ok("settings", describe_storage(tables[name]))
        storage = make_storage(name, {name: _impatient(tables[name])})
    except (SciflowError, OSError) as error:
        yield bad("settings", str(error))
        return
    try:
        begin = time.monotonic()
        storage.exists("doctor-none")
        yield ok("answers", f"in {time.monotonic() - begin:.2f} s")
        yield _round_trip(storage)
    except (SciflowError, PlaceError, OSError) as error:
        yield bad("storage", str(error))


def _impatient(table: Mapping[str, Any]) -> Mapping[str, Any]:
    if table["type"] != "s3":
        return table
    return {**table, "patience_s": min(table.get("patience_s", PATIENCE_S), PATIENCE_S)}


def _round_trip(storage: Storage) -> Finding:
    key = f"doctor-{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory(prefix="sciflow-") as folder:
        there, back = Path(folder, "there"), Path(folder, "back")
        there.write_bytes(os.urandom(TRIP_BYTES))
        try:
            began = time.monotonic()
            stored = storage.put(there, lambda _sha256: key)
            between = time.monotonic()
            storage.get(stored, back)
            ended = time.monotonic()
        finally:
            storage.delete(key)
    to, fro = (TRIP_BYTES / 1e6 / max(seconds, 1e-6) for seconds in (between - began, ended - between))
    found = f"{TRIP_BYTES >> 20} MiB unchanged; {to:,.0f} MB/s there, {fro:,.0f} MB/s back; removed"
    return ok("file there and back", found)
