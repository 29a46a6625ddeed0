"""The table of codes, and the way from a `Calc` to an ASE calculator.

A code is one row of `CODES`, or an entry point of the group "sciflow.codes" that names a `Code` of an installed
package. Whatever a code cannot honour is refused: a setting that is silently dropped would be wrong physics.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ase import Atoms

from sciflow import MissingExtra
from sciflow_ops.calculation import Calc, Level


@dataclass(frozen=True, kw_only=True)
class Code:
    """What is known of one code."""

    name: str
    source: str  # the paper or manual that defines it
    package: str  # distribution that computes; its version is recorded
    calculator: Callable[[Calc], Any]  # makes an ASE calculator
    provides: frozenset[str] = frozenset({"forces", "stress"})  # beside the energy
    settings: frozenset[str] = frozenset()  # words of `Calc.extra`
    required: frozenset[str] = frozenset()  # those of them that have no default
    honours: frozenset[str] = frozenset()  # fields of `Level`; a potential has none
    methods: tuple[str, ...] = ()  # values of `Level.method`
    elements: frozenset[str] | None = None  # None: not limited, or told by a file
    extra: str | None = None  # optional dependency of sciflow-hpc that brings the package

    @property
    def version(self) -> str:
        """Package and version, as recorded with each result."""
        return f"{self.package} {_installed(self.package)}"


@cache
def _installed(package: str) -> str:
    return version(package)


def find_code(name: str) -> Code:
    """The code of that name.

    Raises:
        ValueError: no such code.
    """
    if name in CODES:
        return CODES[name]
    for entry in entry_points(group="sciflow.codes", name=name):
        found = entry.load()
        assert isinstance(found, Code)
        return found
    raise ValueError(f"no code {name!r}; known: {', '.join(sorted(CODES))}{_meant(name, CODES)}")


def make_calculator(calc: Calc, atoms: Atoms) -> Any:
    """An ASE calculator for `calc`, able to compute `atoms`.

    Raises:
        ValueError: an unknown code, a setting it does not have, a level it cannot honour, or an element it lacks.
        MissingExtra: the code's package is not installed.
    """
    code = find_code(calc.code)
    _check_settings(code, calc.extra or {})
    _check_level(code, calc)
    if code.elements is not None and not code.elements.issuperset(atoms.symbols):
        lacking = ", ".join(sorted(set(atoms.symbols) - code.elements))
        known = ", ".join(sorted(code.elements))
        raise ValueError(f"{code.name} has no parameters for {lacking} in {atoms.symbols}; it knows {known}")
    if code.extra is not None and find_spec(code.package) is None:
        raise MissingExtra(code.package, code.extra, f"the code {code.name!r}")
    return code.calculator(calc)


def _check_settings(code: Code, extra: Mapping[str, Any]) -> None:
    for word in extra:
        if word not in code.settings:
            known = ", ".join(sorted(code.settings)) or "none"
            raise ValueError(f"{code.name} has no setting {word!r}; known: {known}{_meant(word, code.settings)}")
    lacking = ", ".join(sorted(code.required - extra.keys()))
    if lacking:
        raise ValueError(f"{code.name} needs {lacking}: give them as Calc({code.name!r}, extra={{...}})")


def _check_level(code: Code, calc: Calc) -> None:
    level = calc.level
    if calc.nprocs != 1:
        raise ValueError(f"{code.name} runs in one process; found nprocs={calc.nprocs}")
    if level is not None and not code.honours:
        raise ValueError(f"{code.name} takes no level: leave it out; found {level}")
    known = ", ".join(code.methods)
    if level is not None:
        _check_fields(code, level, known)
    elif code.methods:
        raise ValueError(f"{code.name} needs a level: say level=Level(method=...) with one of {known}")


def _check_fields(code: Code, level: Level, known: str) -> None:
    given = {name for name, value in level._asdict().items() if value != Level._field_defaults[name]}
    refused = ", ".join(sorted(given - code.honours))
    if refused:
        raise ValueError(f"{code.name} cannot honour the level's {refused}; it takes {sorted(code.honours)}")
    if code.methods and level.method.lower() not in code.methods:
        raise ValueError(f"{code.name} has no method {level.method!r}; say Level(method=...) with one of {known}")


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _emt(calc: Calc) -> Any:
    from ase.calculators.emt import EMT

    return EMT(**(calc.extra or {}))


def _lennard_jones(calc: Calc) -> Any:
    from ase.calculators.lj import LennardJones

    return LennardJones(**(calc.extra or {}))


def _morse(calc: Calc) -> Any:
    from ase.calculators.morse import MorsePotential

    return MorsePotential(**(calc.extra or {}))


def _eam(calc: Calc) -> Any:
    from ase.calculators.eam import EAM

    settings = dict(calc.extra or {})
    potential = Path(settings.pop("potential"))
    if not potential.is_file():
        raise FileNotFoundError(f"the potential of Calc('eam') is no file: {potential}")
    return EAM(potential=str(potential), **settings)


def _tblite(calc: Calc) -> Any:
    from tblite.ase import TBLite

    level = calc.level
    assert level is not None  # `_check_level` has seen to it
    names = {"gfn1-xtb": "GFN1-xTB", "gfn2-xtb": "GFN2-xTB", "ipea1-xtb": "IPEA1-xTB"}
    settings = {"charge": level.charge, "multiplicity": level.multiplicity, "verbosity": 0, **(calc.extra or {})}
    return TBLite(method=names[level.method.lower()], **settings)


_ROWS = (
    Code(  # made for the seven metals; its H, C, N and O are crude
        name="emt",
        source="K. W. Jacobsen, P. Stoltze, J. K. Nørskov, Surf. Sci. 366, 394 (1996); ASE manual, EMT",
        package="ase",
        calculator=_emt,
        settings=frozenset({"asap_cutoff"}),
        elements=frozenset({"Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt", "H", "C", "N", "O"}),
    ),
    Code(  # epsilon in eV; sigma, cutoff rc and onset ro of the smooth cutoff in Å; every pair of atoms alike
        name="lj",
        source="ASE manual, LennardJones: 4 epsilon ((sigma/r)^12 - (sigma/r)^6), shifted to 0 at rc",
        package="ase",
        calculator=_lennard_jones,
        settings=frozenset({"epsilon", "sigma", "rc", "ro", "smooth"}),
        required=frozenset({"epsilon", "sigma"}),
    ),
    Code(  # epsilon in eV, r0 in Å, rho0 without unit, rcut1 and rcut2 in units of r0
        name="morse",
        source="ASE manual, MorsePotential: epsilon (exp(-2 rho0 (r/r0 - 1)) - 2 exp(-rho0 (r/r0 - 1)))",
        package="ase",
        calculator=_morse,
        settings=frozenset({"epsilon", "r0", "rho0", "rcut1", "rcut2"}),
        required=frozenset({"epsilon", "r0", "rho0"}),
    ),
    Code(  # potential: the file, a Path, so that it travels with the task and is hashed
        name="eam",
        source="M. S. Daw, M. I. Baskes, Phys. Rev. B 29, 6443 (1984); ASE manual, EAM: .alloy, .fs, .adp files",
        package="ase",
        calculator=_eam,
        settings=frozenset({"potential", "form", "skin"}),
        required=frozenset({"potential"}),
    ),
    Code(  # periodic cells at Gamma alone: take large ones
        name="tblite",
        source="C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 (2019); tblite manual",
        package="tblite",
        calculator=_tblite,
        settings=frozenset(
            {"accuracy", "electronic_temperature", "max_iterations", "guess", "mixer_damping", "solvation"}
        ),
        honours=frozenset({"method", "charge", "multiplicity"}),
        methods=("gfn2-xtb", "gfn1-xtb", "ipea1-xtb"),
        extra="tblite",
    ),
)

CODES: Mapping[str, Code] = MappingProxyType({code.name: code for code in _ROWS})
