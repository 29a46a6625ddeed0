"""What the exit codes of the runner's commands say, by sysexits.h. Lower ones are Python's and the shell's."""

from __future__ import annotations

BAD_REQUEST = 64  # a command or request that makes no sense
REFUSED = 65  # data that is torn or not what its hash says, a path that is none of ours
CANNOT_WRITE = 74  # something cannot be read or written: a full disk, a quota
UNREACHABLE = 75  # a server does not answer now
NO_SECRET = 78  # a variable that carries a secret has not come

# of what runs in a pod; 11 to 13 say that nothing could be run there
SOME_FAILED = 10
OMITTED, UNBOUND = 11, 12  # what is needed has failed; an expression has no value
UNFIT_INPUTS = 13  # the run was given what it cannot begin with
STOPPED = 143  # by a signal, as a shell tells it
