"""`python -m sciflow.runner serve --requests FD --replies FD --life FD --board FD`: a worker of an engine."""

from __future__ import annotations

import sys

USAGE = "usage: python -m sciflow.runner serve --requests FD --replies FD --life FD --board FD"
NAMES = ("--requests", "--replies", "--life", "--board")


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    given = dict(zip(argv[1::2], argv[2::2]))
    if argv[:1] != ["serve"] or sorted(given) != sorted(NAMES) or not all(map(str.isdigit, given.values())):
        print(USAGE, file=sys.stderr)  # noqa: T201
        return 2
    from sciflow.runner.channel import bind_life
    from sciflow.runner.guard import Guard
    from sciflow.runner.worker import serve

    requests, replies, life, board = (int(given[name]) for name in NAMES)
    guard = Guard(bind_life(life))
    serve(requests=requests, replies=replies, board=board)
    guard.end()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
