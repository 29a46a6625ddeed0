"""Which cases are run where if not all are asked for (`pytest --whole-table`), and which cannot hold somewhere.

`local` has the whole table. What the engine decides is the same everywhere and is not run again for each place: what
is, is how tasks, files, values and signals get there and back.
"""

from __future__ import annotations

EVERYWHERE = (  # but where less will do, see NEAR
    "a chain hands every value on",
    "a fan runs over a list that is known only while running",
    "the outcome tells the exception, cut to the user's frames, the inputs and the end of the log",
    "a transient error is tried again after a growing wait, and only the slices that failed",
    "an op that takes longer than its time limit is ended and fails, no other slice with it",
    "a process that dies ends only the task it was in, in Error, with exit code or signal",
    "stop lets what runs end, begins nothing new, runs the exit handler, and retry goes on from there",
    "terminate ends an op that would run for long",
    "a folder goes with all that is in it, empty folders too",
    "a fan's files are gathered in order, and fanned out again",
    "every slice has an empty folder of its own, and what it leaves there is kept with it",
    "cores are counted and told to the op",
    "a secret by reference reaches the op, and its value appears in no file, log or database",
    "progress is seen from inside an op while it runs, and the run's counts with it",
)
NEAR = (  # at places whose system, or whose way there, another one of the table has as well: what could differ there
    "a chain hands every value on",
    "an op that takes longer than its time limit is ended and fails, no other slice with it",
    "a process that dies ends only the task it was in, in Error, with exit code or signal",
    "stop lets what runs end, begins nothing new, runs the exit handler, and retry goes on from there",
    "a fan's files are gathered in order, and fanned out again",
    "cores are counted and told to the op",
)
FAR = (  # where nothing is shared with the author's machine, these as well
    "a fan has 1,000 slices",
    "a workflow calls itself under a condition, as deep as a value says: 50 where a step costs little",
    "a fan runs over a sub-graph that itself fans",
    "an op that calls sys.exit fails, and the process goes on",
    "a run that takes longer than its time limit is ended and fails",
    "an exit handler runs after failure, and the run is still failed",
    "suspend begins nothing new until resume, and nothing runs twice",
    "terminate kills what runs, without the exit handler, and retry goes on from there",
    "retry after a mend of the op's code runs the mended code",
    "names with spaces, quotes, unicode, newlines and other people's syntax are kept",
    "an op that edits its input in place changes neither its producer's file nor the user's",
    "an output may lie inside an input, and be the input itself",
    "a file that can be executed stays so",
    "links inside a folder lead where they led",
    "a file is given at the resume",
    "of the files that an op leaves those are kept that its patterns name, and never those that must not be",
    "what a failed op leaves is kept with its task",
    "a program takes files, text on its standard input and hostile arguments, and gives files and its output",
    "a value of 10 MB goes from op to op and comes out",
    "a picklable object travels where the type says so",
    "structures arrive exactly: cell, periodicity, constraints, info, arrays, calculator's results",
    "a task whose output is a file is reused by its key, with its file or another in its place",
    "a run that took a file from the cache does not need the run that made it",
    "GPUs are counted, each given to one task at a time, and named to it",
    "standard output and standard error are kept apart, of every slice",
    "an op is told its path, key, attempt and the seconds left",
    "where a node runs may depend on an input",
    "a secret that is not there fails the task and names the secret",
    "a process that an op leaves behind is ended with it",
)
WHOLE = ("local",)
MORE = ("slurm-ssh",)
LESS = ("shell", "slurm-shared", "pbs", "lsf")
NONE = ("slurm", "sge")  # slurm-ssh has what slurm has; Grid Engine takes minutes where other tests use the cores

# Cases of the above that another test shows of a place, where it has to look further.
SHOWN = {
    "a secret by reference reaches the op, and its value appears in no file, log or database": {
        "argo": "tests/contract/test_argo_secrets.py",
    },
    "progress is seen from inside an op while it runs, and the run's counts with it": {
        "argo": "tests/contract/test_argo_live.py",
    },
}
# Why a case cannot hold at a place, by case and back end.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "GPUs are counted, each given to one task at a time, and named to it": {
        "pbs": "which GPUs a job has is PBS's to say, and its stand-in has none to give",
        "lsf": "which GPUs a job has is LSF's to say, and its stand-in has none to give",
        "sge": "the cell of the tests has no resource for GPUs",
        "podman": "the machine of the tests has no GPU that podman could hand over",
        "dask": "a pool's GPUs are its own business",
        "argo": "the cluster of the tests has no GPU",
    },
    "a task may have several GPUs": {
        "sge": "the cell of the tests has no resource for GPUs",
        "podman": "the machine of the tests has no GPU that podman could hand over",
        "dask": "a pool's GPUs are its own business",
        "argo": "the cluster of the tests has no GPU",
    },
    "cores are counted and told to the op": {
        "argo": "its node has two cores, and beside each task is a container of Argo's that asks for a part of one",
    },
    "memory is counted and told to the op": {
        "argo": "memory is counted by Kubernetes, of its nodes (`tests/faults/test_argo_memory.py`), and not of a run",
    },
    "where a node runs may depend on an input": {
        "argo": "the workflow is known to Argo as a whole before it begins",
    },
    "what an op says with its progress is seen, too": {
        "argo": "of progress Argo takes two whole numbers",
    },
    "of what is ready the higher priority runs first": {
        "argo": "Argo begins what is ready in the order of the graph; only whole workflows have a priority there",
    },
}


def is_chosen(case: str, backend: str) -> bool:
    """Whether a case is run at a back end where not the whole table is asked for."""
    if backend in NONE or backend in SHOWN.get(case, {}):
        return False
    if backend in LESS:
        return case in NEAR
    return backend in WHOLE or case in EVERYWHERE or (backend in MORE and case in FAR)
