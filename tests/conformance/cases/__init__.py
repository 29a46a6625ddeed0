"""The cases, a module a subject."""

from tests.conformance.cases import (
    arrays,
    artifacts,
    control,
    failures,
    fans,
    graphs,
    limits,
    place,
    reuse,
    structures,
    values,
)  # fmt: skip

SUBJECTS = (graphs, fans, failures, control, artifacts, values, arrays, structures, reuse, limits, place)
