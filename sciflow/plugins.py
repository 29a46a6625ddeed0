"""Plug-ins: classes that installed packages add by entry points, each under a group and a name.

What sciflow itself brings is found the same way, by its own entries in `pyproject.toml`. Nothing is imported before
it is asked for by name.
"""

from __future__ import annotations

from sciflow.errors import ConfigError

EXECUTORS = "sciflow.executors"


def names(group: str) -> list[str]:
    """The names known in a group, sorted."""
    from importlib.metadata import entry_points

    return sorted({entry.name for entry in entry_points(group=group)})


def load(group: str, name: str) -> object:
    """What the entry `name` of a group stands for.

    Raises:
        ConfigError: no such entry, or it cannot be imported.
    """
    from importlib.metadata import entry_points

    found = list(entry_points(group=group, name=name))
    if not found:
        known = ", ".join(names(group)) or "none"
        raise ConfigError(
            f"nothing named {name!r} is installed in the group {group}\n"
            f"    known:    {known}\n"
            f"    fix:      correct the name, or install the package that brings it"
        )
    try:
        return found[0].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{name!r} of the group {group} ({found[0].value}) cannot be imported: {error}") from error
