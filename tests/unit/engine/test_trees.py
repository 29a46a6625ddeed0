"""Parts of values that are tagged with `$`."""

from __future__ import annotations

from typing import Any

from sciflow.core.trees import replaced, tagged

FILE: dict[str, Any] = {"$": "artifact", "path": "a", "inside": {"$": "value"}}
STORED: dict[str, Any] = {"$": "value", "file": "b"}
TREE: dict[str, Any] = {
    "x": [1, FILE, {"$": "tuple", "v": [STORED, "text"]}],
    "y": {"$": "ndarray", "data": "c"},
    "z": None,
}


def test_tagged_parts_are_found_in_order_wherever_they_are_and_not_looked_into() -> None:
    assert list(tagged(TREE, "artifact", "value")) == [FILE, STORED]
    assert list(tagged(TREE, "value")) == [FILE["inside"], STORED]
    assert list(tagged("text", "value")) == []


def test_tagged_parts_are_replaced_and_all_else_stays_as_it_is() -> None:
    changed = replaced(TREE, lambda part: part["$"], "artifact", "ndarray")
    assert changed == {"x": [1, "artifact", TREE["x"][2]], "y": "ndarray", "z": None}
    assert replaced([1, "a"], lambda part: part["$"], "artifact") == [1, "a"]
