"""`python3 -m sciflow.pod bind PATH CHUNK` or `plan PATH`: the container of a pod that comes before the task's own.

`dispatch FOLDER [ASKED]` is the task's own container where a batch system runs the tasks, see `dispatcher`.
`begin KEY [ASKED]` and `end` are for runs that no engine looks after: SCIFLOW_GIVEN has their parameters, in base64.

It alone has the keys of the bucket: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. SCIFLOW_POD says, as JSON, where the
bucket is and which run this is.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import msgspec

from sciflow.errors import HostUnreachable, SciflowError
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.content import Changed
from sciflow.executors.argo.place.layout import Layout
from sciflow.pod.binder import Binder
from sciflow.pod.workplace import PodSetup, Workplace
from sciflow.runner.exit_codes import BAD_REQUEST, UNREACHABLE
from sciflow.storage.settings import S3Settings

DEPTH = 100_000  # of calls: how long a fan is may rest on the length of another, and so on


def main(argv: list[str]) -> int:
    """Leave in the shared volume what the runner is to do; the exit code."""
    sys.setrecursionlimit(DEPTH)
    told = json.loads(os.environ["SCIFLOW_POD"])
    setup = PodSetup(
        volume=Path(told["volume"]),
        runner=told["runner"],
        python=told.get("python", "python3"),
        image=told.get("image", ""),
        uid=os.environ.get("SCIFLOW_POD_UID", ""),
        exit_phase=os.environ.get("SCIFLOW_EXIT_PHASE", ""),
    )
    try:
        bucket = Bucket("of the run", msgspec.convert(told["s3"], type=S3Settings))
        work = Workplace(bucket, Layout(told["prefix"], os.environ["SCIFLOW_RUN"]), setup)
        match argv:
            case ["plan", path]:
                Binder(work).plan(path)
            case ["bind", path, chunk]:
                replaces = os.environ.get("SCIFLOW_RETRIES", "0") not in {"", "0"}
                Binder(work).bind(path, int(chunk), replaces=replaces)
            case ["begin", key, *asked]:
                from sciflow.pod.beginning import Beginner, given_parameters  # others need not wait for it

                given = given_parameters(os.environ["SCIFLOW_GIVEN"])
                Beginner(work, key).begin(given, json.loads(asked[0]) if asked else [])
            case ["dispatch", folder, *asked]:
                from sciflow.pod.dispatcher import dispatch

                return dispatch(Path(folder), bucket, work.layout, *asked, login=Path(told["login"]))
            case ["end"]:
                from sciflow.pod.ending import end

                end(work)
            case _:
                sys.stderr.write(
                    "usage: python3 -m sciflow.pod bind PATH CHUNK | plan PATH | dispatch FOLDER | begin KEY | end\n"
                )
                return BAD_REQUEST
    except SciflowError as error:
        sys.stderr.write(f"sciflow: {error}\n")
        return UNREACHABLE if isinstance(error, HostUnreachable | Changed) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
