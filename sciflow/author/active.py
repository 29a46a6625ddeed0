"""The tracer of the workflow being written down just now, if there is one.

Standard library only and clean for Python 3.9: a user's module imports it wherever its ops run.
"""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Literal, Protocol

    from sciflow.author.verbs import Verbs
    from sciflow.errors import Problem

    class Tracer(Protocol):
        """What happens to a call where it is not simply made."""

        @property
        def problems(self) -> list[Problem]:
            """What has been found wrong so far."""

        def call(self, target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
            """One call of an op or workflow."""

        def fan(
            self,
            target: Verbs[..., Any],
            mode: Literal["zip", "product"],
            lists: Sequence[Iterable[Any]],
            named: Mapping[str, Iterable[Any]],
        ) -> Any:
            """A call for each element of lists."""


TRACER: ContextVar[Tracer | None] = ContextVar("sciflow_tracer", default=None)
