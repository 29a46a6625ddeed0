"""What happens in a pod of Argo before the runner: what its tasks are to be given is found in the bucket.

    __main__       `bind`, `plan`, `begin`, `end`, `dispatch`: the container of ours in a pod
    binder         what a pod is to do: with `run_view` (the run in the bucket), `recollection` (backward from a node to
                   what it is given), `known` (outcomes of the cache), `first_round` (left for the runner)
    beginning      a run of a deployed workflow, which no engine follows: what it is; `ending`: what it has come to
    dispatcher     gives the tasks of a pod to a batch system

It imports the engine's walk and binding, so that a task is given the same here and there, and needs no engine: pods
read what other pods have left. The tasks themselves are run by `runner.pod`. The whole of it: `docs/inside.md`, "Argo".
"""
