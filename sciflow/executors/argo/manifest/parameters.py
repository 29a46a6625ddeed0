"""The inputs of a deployed workflow as parameters of Argo: texts that people write, and the values that they stand for.

What is found out here needs no class of the users': where it is read, in a pod, there is none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sciflow.core.conform import misfit
from sciflow.core.expr import Tree
from sciflow.core.from_json import CLOCKS, Unfit, bare_type, fitted, is_text, literal_text
from sciflow.core.naming import nearest
from sciflow.core.ports import NONE, Type, enum_of
from sciflow.runner import codec
from sciflow.runner.failures import CodecError
from sciflow.runner.neutral import Artifact, EnumValue, Record

AS_DEPLOYED = "(given)"  # stands for a value that is not to be written as text, or not shortly
LONGEST = 1000  # characters of a value that is shown
PLAIN = frozenset({"any", "none", "bool", "int", "float", "complex", "str", "path", "literal"})
PARTED = frozenset({"list", "set", "frozenset", "tuple"})

Bring = Callable[[str, Type], Tree]  # the artifact that a text means; raises Unfit
Enums = Mapping[str, Mapping[str, Tree]]  # class -> name or value of a member, as text -> the member


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """An input that whoever starts a run may give."""

    name: str
    type: Type
    text: str | None = None  # stands for the value that was given at deploying; None: there was none
    choices: Mapping[str, Tree] = {}  # all that there are, by their texts; empty: any
    enums: Enums = {}


def parameter_of(name: str, type_: Type, given: list[Tree]) -> Parameter | None:
    """The parameter of an input; None if no text can say what it takes. `given`: its value, or nothing."""
    enums = {of: _members(of) for of in sorted(_enum_names(type_))}
    if not _can_be_written(type_, enums):
        return None
    made = Parameter(name=name, type=type_, choices=_choices(type_, enums), enums=enums)
    return msgspec.structs.replace(made, text=_shown(given[0], made)) if given else made


def value_of(parameter: Parameter, text: str, bring: Bring) -> Tree:
    """The value that a text stands for.

    Raises:
        Unfit: it stands for none.
    """
    if parameter.choices:
        return _choice(parameter, text)
    bare = bare_type(parameter.type)
    makers = _Neutral(bring, parameter.enums)
    try:
        value = fitted(text if is_text(bare) else json.loads(text), _bare_if_text(parameter.type), makers)
    except json.JSONDecodeError as error:
        if not any(is_text(member) for member in bare.args):
            raise Unfit(f"expected {parameter.type}, as JSON; found {text!r} ({error.msg})") from None
        value = fitted(text, bare, makers)
    try:
        tree = codec.encode(value)
    except CodecError as error:
        raise Unfit(str(error)) from None
    wrong = misfit(tree, parameter.type)
    if wrong is not None:
        raise Unfit(f"{wrong.at and f'at {wrong.at}: '}expected {wrong.expected}, found {wrong.found}")
    return tree


def _bare_if_text(type_: Type) -> Type:
    """The type; that of a text without `| None`, since every text is a text."""
    bare = bare_type(type_)
    return bare if is_text(bare) else type_


def description(parameter: Parameter) -> str:
    """What is to be written, in short."""
    bare = bare_type(parameter.type)
    if bare.name == "path":
        kept = f"; {parameter.text}: the one of the deployment" if parameter.text else ""
        return f"{bare.kind or 'file or folder'}: a key of the bucket{kept}"
    if parameter.choices or is_text(bare) or bare.name in ("int", "float"):
        return str(parameter.type)
    return f"{parameter.type}, as JSON"


def _choice(parameter: Parameter, text: str) -> Tree:
    if text not in parameter.choices:
        near = nearest(text, parameter.choices)
        hint = f"; did you mean {near}?" if near else ""
        raise Unfit(f"expected one of {', '.join(parameter.choices)}, found {text!r}{hint}")
    return parameter.choices[text]


class _Neutral:
    """See `core.from_json.Makers`: without the classes."""

    def __init__(self, bring: Bring, enums: Enums) -> None:
        self._bring = bring
        self._enums = enums

    def path(self, text: str, type_: Type) -> Artifact:
        """See `Makers`."""
        return Artifact(self._bring(text, type_))

    def enumerated(self, value: Any, type_: Type) -> EnumValue:
        """See `Makers`."""
        members = self._enums.get(type_.of, {})
        if str(value) not in members:
            raise Unfit(f"expected one of {', '.join(members)}, found {value!r}")
        return EnumValue(members[str(value)])

    def record(self, fields: Mapping[str, Any], type_: Type) -> Record:
        """See `Makers`."""
        missing = [name for name in type_.fields if name not in fields]
        if missing:
            raise Unfit(f"{type_} has also {', '.join(missing)}")
        return Record(type_.of, type_.kind, {name: fields[name] for name in type_.fields})


# --- what is known where the classes are


def _can_be_written(type_: Type, enums: Enums) -> bool:
    match type_:
        case Type(name="union", args=members):
            return any(_can_be_written(member, enums) for member in members if member != NONE)
        case Type(name="dict", args=()) | Type(name="list", args=()):
            return True
        case Type(name="dict", args=(key, item)):
            return key.name in ("str", "any") and _can_be_written(item, enums)
        case Type(name="object", kind="enum"):
            return bool(enums.get(type_.of))
        case Type(name="object", kind="namedtuple" | "dataclass" | "typeddict"):
            return bool(type_.fields) and all(_can_be_written(part, enums) for part in type_.fields.values())
        case Type(name="object"):
            return type_.of in CLOCKS
        case _ if type_.name in PARTED:
            return bool(type_.args) and all(_can_be_written(part, enums) for part in type_.args)
        case _:
            return type_.name in PLAIN


def _enum_names(type_: Type) -> set[str]:
    found = {type_.of} if type_.kind == "enum" else set()
    found |= {enum_of(value).of for value in type_.values if isinstance(value, dict) and value.get("$") == "enum"}
    return found.union(*(_enum_names(part) for part in (*type_.args, *type_.fields.values())))


def _members(of: str) -> dict[str, Tree]:
    """Those of an enum by their names, and by their values where these are texts or numbers of no other's name."""
    module, _, qualname = of.partition(":")
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if found is None:
        return {}
    named = {member.name: codec.encode(member) for member in found}
    valued = {str(m.value): named[m.name] for m in found if isinstance(m.value, str | int | float)}
    return {**valued, **named}


def _choices(type_: Type, enums: Enums) -> dict[str, Tree]:
    bare = bare_type(type_)
    match bare:
        case Type(name="bool"):
            found: dict[str, Tree] = {"false": False, "true": True}
        case Type(name="literal"):
            found = {literal_text(value): value for value in bare.values}
        case Type(kind="enum"):
            found = {tree["name"]: tree for tree in enums[bare.of].values()}
        case _:
            return {}
    return {**found, "null": None} if bare != type_ and "null" not in found else found


def _shown(tree: Tree, parameter: Parameter) -> str:
    """The text that stands for a value; what it would not be read from as it was has none of its own."""
    bare = bare_type(parameter.type)
    if parameter.choices:
        return next((text for text, choice in parameter.choices.items() if choice == tree), AS_DEPLOYED)
    if tree is None and is_text(bare):
        return ""
    match tree:
        case {"$": "artifact", "path": str(path)}:
            return path.rpartition("/")[2]  # there it is known by its name alone
    try:
        plain = _plain(codec.decode(tree))
        text = plain if is_text(bare) else json.dumps(plain, ensure_ascii=False)
        same = value_of(parameter, text, _nothing) == tree
    except (Unfit, TypeError, CodecError):
        return AS_DEPLOYED
    hard = len(text) > LONGEST or "{{" in text or not text.isprintable()
    return text if same and not hard else AS_DEPLOYED


def _nothing(text: str, _: Type) -> Tree:
    raise Unfit(f"no file: {text}")


def _plain(value: Any) -> Any:
    """A value as JSON.

    Raises:
        TypeError: it cannot be said so.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple() | set() | frozenset():
            return [_plain(part) for part in value]
        case dict() if all(isinstance(key, str) for key in value):
            return {key: _plain(part) for key, part in value.items()}
        case Record():
            return {key: _plain(part) for key, part in value.fields.items()}
        case EnumValue():
            return value.name
        case _ if hasattr(value, "isoformat"):
            return value.isoformat()
    raise TypeError(type(value).__name__)
