"""Whether an attempt that failed is followed by another, and when: the same wherever it is decided."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Container, Mapping, Sequence

    Tree = Any

RETRIED_KINDS = ("died", "place")  # the place's fault, not the op's


def may_retry(
    *, kind: str, classes: Sequence[str], fatal: bool, transient: bool, attempt: int, retries: int, on: Container[str]
) -> bool:
    """Whether there is to be another attempt; `classes`: those of the exception, `on`: those that the user names."""
    if fatal or attempt > retries:
        return False
    return transient or kind in RETRIED_KINDS or any(name in on for name in classes)


def backoff_s(attempt: int, *, first_s: float, factor: float, most_s: float) -> float:
    """How long to wait after an attempt that failed."""
    try:
        return min(most_s, first_s * float(factor) ** (attempt - 1))
    except OverflowError:  # after a thousand attempts
        return most_s if first_s > 0 else 0.0


def error_may_retry(error: Mapping[str, Tree], policy: Mapping[str, Tree], attempt: int) -> bool:
    """The same of an error and a policy as JSON."""
    return may_retry(
        kind=error.get("kind", "user"),
        classes=[error.get("type", ""), *error.get("bases", ())],
        fatal=bool(error.get("fatal")),
        transient=bool(error.get("transient")),
        attempt=attempt,
        retries=policy.get("retries", 0),
        on=policy.get("retry_on", ()),
    )
