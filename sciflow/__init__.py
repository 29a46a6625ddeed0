"""Scientific workflows in Python: describe a computation once, run it here or elsewhere, lose nothing."""

TYPE_CHECKING = False  # as typing's, which takes four times as long to import as all of this
if TYPE_CHECKING:
    from sciflow.author.conditions import choose, contains, length, not_, sequence, when
    from sciflow.author.op import Op, op
    from sciflow.author.program import command
    from sciflow.author.secret import secret
    from sciflow.author.suspension import suspend
    from sciflow.author.text import text
    from sciflow.author.workflow import Workflow, workflow
    from sciflow.engine.api import adopt, list_runs, open_run
    from sciflow.engine.handle import Run
    from sciflow.errors import (
        ConfigError,
        InvalidInput,
        InvalidWorkflow,
        MissingExtra,
        RunBusy,
        RunError,
        RunFailed,
        RunInterrupted,
        RunNotFound,
        SciflowError,
    )
    from sciflow.runner.context import context
    from sciflow.runner.failures import FatalError, TransientError
    from sciflow.runner.pickled import Pickled

_MODULES = {
    "sciflow.author.conditions": ("choose", "contains", "length", "not_", "sequence", "when"),
    "sciflow.author.op": ("Op", "op"),
    "sciflow.runner.pickled": ("Pickled",),
    "sciflow.author.program": ("command",),
    "sciflow.author.secret": ("secret",),
    "sciflow.author.suspension": ("suspend",),
    "sciflow.author.text": ("text",),
    "sciflow.author.workflow": ("Workflow", "workflow"),
    "sciflow.engine.api": ("adopt", "list_runs", "open_run"),
    "sciflow.engine.handle": ("Run",),
    "sciflow.errors": (
        "ConfigError", "InvalidInput", "InvalidWorkflow", "MissingExtra", "RunBusy", "RunError", "RunFailed",
        "RunInterrupted", "RunNotFound", "SciflowError",
    ),
    "sciflow.runner.context": ("context",),
    "sciflow.runner.failures": ("FatalError", "TransientError"),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "ConfigError",
    "FatalError",
    "InvalidInput",
    "InvalidWorkflow",
    "MissingExtra",
    "Op",
    "Pickled",
    "Run",
    "RunBusy",
    "RunError",
    "RunFailed",
    "RunInterrupted",
    "RunNotFound",
    "SciflowError",
    "TransientError",
    "Workflow",
    "adopt",
    "choose",
    "command",
    "contains",
    "context",
    "length",
    "list_runs",
    "not_",
    "op",
    "open_run",
    "secret",
    "sequence",
    "suspend",
    "text",
    "when",
    "workflow",
]


def __getattr__(name: str) -> object:
    """Import a public name's module when the name is first used, so that `import sciflow` costs almost nothing."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'sciflow' has no attribute {name!r}")
    import sys

    module = _MODULE_OF[name]
    __import__(module)
    found: object = getattr(sys.modules[module], name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
