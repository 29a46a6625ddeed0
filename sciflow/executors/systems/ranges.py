"""Element numbers as batch systems write them: `1,3,5-7`, `5-99:2%10`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def spread(text: str) -> Iterator[int]:
    """The numbers of a list of ranges; a limit after `%` is no part of it, and what was cut off (`...`) is not there.

    The last number before a cut may itself have lost digits, and is left out.
    """
    listed = text.split("%", 1)[0]
    items = listed.split(",")
    if listed.endswith("..."):
        items = items[:-1]
    for item in items:
        span, _, step = item.strip().partition(":")
        first, dash, last = span.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            continue
        yield from range(
            int(first), int(last if dash else first) + 1, int(step) if step.isdigit() and step != "0" else 1
        )


def runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of each row of numbers without a gap."""
    begin: int | None = None
    end = 0
    for number in sorted(set(numbers)):
        if begin is not None and number == end + 1:
            end = number
            continue
        if begin is not None:
            yield begin, end
        begin = end = number
    if begin is not None:
        yield begin, end


def listing(numbers: Iterable[int]) -> str:
    """The numbers as `1,3,5-7`."""
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs(numbers))
