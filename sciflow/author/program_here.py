"""A command called outside a workflow: a run of one task, in a folder of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from sciflow.author.arguments import encode_arguments
from sciflow.author.launch import run_options, spec_of
from sciflow.author.location import user_place
from sciflow.author.verbs import Verbs
from sciflow.engine import api


def run_here(target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What the program gives back; the files that it left lie in a new folder below that of temporary files.

    Raises:
        InvalidWorkflow: the command cannot run as written.
        InvalidInput: the arguments do not fit.
        RunFailed: the program failed.
    """
    where = user_place()
    spec = spec_of(target)
    trees = encode_arguments(spec, target, args, kwargs, where=where)
    folder = tempfile.mkdtemp(prefix=f"{spec.name}-")
    return api.run(spec, trees, options=run_options(target, {"runs": folder, "progress": False})).result
