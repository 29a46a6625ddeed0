"""Amounts as people read them: durations, sizes, moments, counts of things."""

from __future__ import annotations

from datetime import datetime

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def duration(seconds: float) -> str:
    """A time span in at most two units: `0.42 s`, `7.3 s`, `42 s`, `3 min 05 s`, `2 h 10 min`, `4 d 3 h`."""
    if seconds < 0.9995:
        return f"{max(seconds, 0.0):.2f} s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def clock(seconds: float) -> str:
    """A time span for where there is little room: `0.4 s`, `42 s`, `3:05`, `2:10:00`."""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{whole} s"
    hours, minutes = divmod(whole // MINUTE, 60)
    return f"{hours}:{minutes:02}:{whole % MINUTE:02}" if hours else f"{minutes}:{whole % MINUTE:02}"


def size(n_bytes: int) -> str:
    """An amount of data in decimal units: `812 B`, `1.2 kB`, `34 MB`."""
    amount, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.1f} {unit}" if unit != "B" and amount < 9.95 else f"{amount:.0f} {unit}"


def moment(epoch_s: float) -> str:
    """Seconds since the epoch as local date and time, to the second."""
    return datetime.fromtimestamp(epoch_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def day(epoch_s: float, *, now_s: float) -> str:
    """A moment for where there is little room: `11-22 06:28`; the date alone where it is long ago."""
    text = moment(epoch_s)
    return text[5:16] if now_s - epoch_s < 180 * DAY else text[:10]


def count(number: int, noun: str, *, plural: str = "") -> str:
    """`1 task`, `1,000 tasks`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
