"""NamedTuples and dataclasses taken apart and put together, without running the user's constructors again."""

from __future__ import annotations

from sciflow.runner.failures import CodecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def take_apart(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A dataclass's fields, and what else it has been given as attributes (in `__post_init__`, say)."""
    cls = type(value)
    names = [name for name, field in cls.__dataclass_fields__.items() if _is_field(field)]
    missing = [name for name in names if not hasattr(value, name)]
    if missing:
        raise CodecError(f"{cls.__qualname__} has no value in its field {missing[0]!r}")
    fields = {name: getattr(value, name) for name in names}
    known = cls.__dataclass_fields__
    extra = {
        name: attribute
        for name, attribute in getattr(value, "__dict__", {}).items()
        if name not in known and not _is_cached(cls, name)
    }
    return fields, extra


def _is_field(field: Any) -> bool:
    return bool(field._field_type.name == "_FIELD")  # noqa: SLF001  neither ClassVar nor InitVar


def _is_cached(cls: type, name: str) -> bool:
    return type(getattr(cls, name, None)).__name__ == "cached_property"


def put_together(cls: Any, kind: str, fields: dict[str, Any], extra: dict[str, Any]) -> Any:
    """The object that `take_apart` was given.

    Raises:
        CodecError: the class has other fields now.
    """
    expected = cls._fields if kind == "namedtuple" else [n for n, f in cls.__dataclass_fields__.items() if _is_field(f)]
    if set(expected) != set(fields):
        raise CodecError(
            f"{cls.__qualname__} has the fields {', '.join(expected)}, the stored value has {', '.join(fields)}: "
            "the class has changed since; run again"
        )
    if kind == "namedtuple":
        return tuple.__new__(cls, [fields[name] for name in expected])
    value = cls.__new__(cls)
    for name, field in (*fields.items(), *extra.items()):
        object.__setattr__(value, name, field)
    return value
