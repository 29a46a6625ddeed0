"""The storage of a run, from the settings: checked before the run is made, filled by all that belongs there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sciflow.config import Settings
from sciflow.engine.elsewhere import files_elsewhere
from sciflow.engine.records_writer import Writer
from sciflow.errors import ConfigError
from sciflow.storage.keys import content_key

if TYPE_CHECKING:
    from sciflow.engine.stowage import Stowage

FACTS = ("inputs", "spec", "setup")  # of a run, which may speak of files taken in


def check_answers(name: str, settings: Settings) -> None:
    """Refuses a storage by which no run could end; it is asked for something that it need not have.

    Raises:
        ConfigError: it is not in the settings, or they will not do.
        HostError: it does not answer, or refuses.
    """
    if not name:
        return
    from sciflow.storage.registry import make_storage

    if name in settings.executors or name == "local":
        raise ConfigError(f"storage {name!r} has the name of an executor\n    fix:      give it a name of its own")
    make_storage(name, settings.storages).exists(content_key("none", "none", folder=False))


def make_stowage(name: str, settings: Settings, root: Path, *, warn: Callable[[str], None]) -> Stowage | None:
    """The storage of a run, None if it has none besides its folder.

    Raises:
        ConfigError: it is not in the settings, or they will not do.
    """
    if not name:
        return None
    from sciflow.engine.stowage import Stowage
    from sciflow.storage.registry import check_storage, make_storage

    check_storage(name, settings.storages)
    return Stowage(name, root, lambda: make_storage(name, settings.storages), warn)


def keep_all(stowage: Stowage, root: Path, db: Writer) -> None:
    """Has stored what was taken in, and what tasks have left that ended, now or before, here or in the cache."""
    texts = [db.fact(name) for name in FACTS]
    texts += [text for row in db.nodes() for _, text in db.outputs(row.id)]
    for text in texts:
        if text is not None:
            stowage.store(path for _, path in files_elsewhere(root, text, home=stowage.name))
