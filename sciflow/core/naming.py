"""Names in messages: lists of them, did-you-mean, and arguments that have no or the wrong name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from sciflow.core.ports import Port

_SHOWN = 12


def names(known: Iterable[str]) -> str:
    """A list of names for a message."""
    listed = list(known)
    more = f", … ({len(listed)})" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more if listed else "none"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The name that was probably meant."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6 if len(name) > 3 else 0.5)
    return close[0] if close else None


def meant(name: str, known: Iterable[str]) -> str:
    """A did-you-mean."""
    found = nearest(name, known)
    return f"did you mean {found}?" if found else "leave it out, or name one that there is"


def with_article(text: object) -> str:
    """`an int`, `a list[int]`."""
    return f"{'an' if str(text)[:1].lower() in 'aeiou' else 'a'} {text}"


class Misnamed(msgspec.Struct, frozen=True):
    """Arguments against ports: `unknown` ones, with what to do, and ports left `missing`."""

    unknown: dict[str, str]
    missing: list[str]


def misnamed(given: Collection[str], ports: Mapping[str, Port]) -> Misnamed:
    """What is wrong with the names; a port whose name was probably misspelt is not missing as well."""
    free = _others(ports, given)
    unknown = _others(given, ports)
    misspelt = {nearest(name, free) for name in unknown}
    missing = [name for name in free if ports[name].default is None and name not in misspelt]
    return Misnamed({name: meant(name, free) if free else "leave it out" for name in unknown}, missing)


def _others(names_: Iterable[str], than: Collection[str]) -> list[str]:
    return [name for name in names_ if name not in than]
