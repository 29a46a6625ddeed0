"""A run as a Workflow of Argo: submitted, followed, ended; its pods and its author speak through a bucket.

    manifest   the graph as a Workflow. Pure
    place      the bucket: what lies under which key
    server     Argo's server, or Kubernetes itself

    making     puts the executor of a run together
    executor   what the engine sees. Its parts are pure: `ledger` (which task has ended), `course` (whether the run goes
               on), `reckoning` (what a look means)
    follower   the thread behind it: `orders` does what is ordered, `lookout` looks; between them `news`

What `executors.registry` and the command line call besides: `deploying` and `shelf`, `run_list`, `remains`, `pod_logs`,
`refusals`, `rehearsal`; and where no engine looks after a run, `bringing` and `recall`. What happens in the pods is in
`sciflow.pod`. The whole of it: `docs/inside.md`, "Argo".
"""
