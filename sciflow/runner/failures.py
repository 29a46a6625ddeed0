"""What an op may raise to say how its failure is to be taken, and what the runner raises about an op.

Standard library only: these names travel to nodes that have nothing else of sciflow.

    TransientError      try again (if the op has retries left)
    FatalError          never try again
    OpError             the op broke its contract: a wrong type, a missing file, a file outside its folder
    CodeError           the op's code cannot be loaded here
    CodecError          a value cannot be written as, or read from, JSON
    PlaceError          the executing machine failed, not the op
"""


class TransientError(Exception):
    """Raised by an op whose trouble may pass: it is run again while ``retries`` last."""


class FatalError(Exception):
    """Raised by an op that must not be run again, whatever its ``retries`` and ``retry_on`` say."""


class OpError(Exception):
    """The op ran, and what it took or gave back does not keep what its signature says."""


class CodeError(Exception):
    """The op's code cannot be found or imported on the executing machine."""


class CodecError(Exception):
    """A value has no JSON form that gives it back equal, or a stored text is not one of ours."""


class PlaceError(Exception):
    """The executing machine failed, not the op: a full disk, a file of the run that is gone or was changed."""
