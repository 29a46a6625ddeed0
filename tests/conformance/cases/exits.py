"""Exit handlers: run once at the end of a run, and told its phase."""

from __future__ import annotations

from sciflow import context, op, workflow
from tests.conformance.cases.failures import after, picky
from tests.conformance.table import Case, only


@op
def handled(phase: str) -> str:
    print(f"the run has {phase}")
    return phase


@workflow(on_exit=handled)
def with_handler(x: int) -> int:
    return after(picky(x))


def _handled(phase: str):  # type: ignore[no-untyped-def]
    def check(run) -> None:  # type: ignore[no-untyped-def]
        assert only(run, "on-exit").output == phase
        assert run.logs("on-exit", stream="out") == f"the run has {phase}\n"

    return check


exit_after_success = Case(
    "an exit handler runs after success, and is told the phase",
    with_handler,
    inputs={"x": 1},
    result=2,
    phases={"on-exit": "Succeeded"},
    check=_handled("Succeeded"),
)
exit_after_failure = Case(
    "an exit handler runs after failure, and the run is still failed",
    with_handler,
    inputs={"x": 3},
    phase="Failed",
    phases={"on-exit": "Succeeded", "after": "Omitted"},
    failed=("picky",),
    check=_handled("Failed"),
)


@op
def broken_handler(phase: str) -> None:
    raise RuntimeError(f"cannot handle {phase}")


@workflow(on_exit=broken_handler)
def badly_handled(x: int) -> int:
    return after(x)


exit_fails = Case(
    "a run whose exit handler fails has failed",
    badly_handled,
    inputs={"x": 1},
    phase="Failed",
    phases={"after": "Succeeded", "on-exit": "Failed"},
    failed=("on-exit",),
    report=("on-exit", "RuntimeError"),
)


@workflow
def alert(phase: str) -> str:
    return handled.options(name="inner")(phase)


@workflow(on_exit=alert)
def handled_by_workflow(x: int) -> int:
    return after(x)


exit_workflow = Case(
    "an exit handler may be a workflow",
    handled_by_workflow,
    inputs={"x": 1},
    result=2,
    phases={"on-exit": "Succeeded", "on-exit/inner": "Succeeded"},
)


@op(retries=1, retry_on=[OSError], backoff_s=0.0)
def told_at_last(phase: str, to: str) -> str:
    if context().attempt == 1:
        raise OSError("nobody listens")
    return f"{to}: {phase}"


@workflow(on_exit=told_at_last.partial(to="all"))
def handled_with_patience(x: int) -> int:
    return after(x)


exit_with_options = Case(
    "an exit handler has its options, and the arguments that it was given before",
    handled_with_patience,
    inputs={"x": 1},
    result=2,
    phases={"on-exit": "Succeeded", "on-exit/told_at_last": "Succeeded"},
    attempts={"on-exit/told_at_last": 2},
    check=lambda run: _gave(run, "all: Succeeded"),
)


def _gave(run, text: str) -> None:  # type: ignore[no-untyped-def]
    assert only(run, "on-exit/told_at_last").output == text
