"""The cases, a module a subject."""

from tests.conformance.cases import artifacts, control, failures, fans, graphs, limits, place, reuse, values

SUBJECTS = (graphs, fans, failures, control, artifacts, values, reuse, limits, place)
