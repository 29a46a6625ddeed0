"""Failing assertions of cases are told in full, though the cases stand in no test module."""

import pytest

pytest.register_assert_rewrite("tests.conformance.cases", "tests.conformance.table", "tests.conformance.likeness")
