"""The cases, a module a subject."""

from tests.conformance.cases import control, failures, fans, graphs

SUBJECTS = (graphs, fans, failures, control)
