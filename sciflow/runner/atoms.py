"""`ase.Atoms` as trees, exactly: arrays, cell, periodicity, constraints, info, displacement, a calculator's results.

A calculator with results for the atoms as they stand becomes ASE's `SinglePointCalculator` with the same results; one
without results has nothing to tell and is left out.
"""

from __future__ import annotations

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.cell import Cell
from ase.constraints import dict2constraint

from sciflow.runner.decoder import Decoder
from sciflow.runner.encoder import Encoder, Fault
from sciflow.runner.names import import_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any


def write(encoder: Encoder, value: Any) -> Tree | None:
    """The tree of atoms, a cell or a space group; None: anything else of ASE's."""
    if type(value) is Atoms:
        return _write_atoms(encoder, value)
    if type(value) is Cell:
        return {"$": "atoms", "cell": encoder.write(value.array)}
    if type(value).__name__ == "Spacegroup":  # `ase.io.read` leaves one in `info` for each CIF file
        return {"$": "spacegroup", "no": int(value.no), "setting": int(value.setting)}
    return None


def _write_atoms(encoder: Encoder, atoms: Any) -> Tree:
    tree = {
        "$": "atoms",
        "arrays": encoder.fields(atoms.arrays, step=".arrays[{!r}]"),
        "cell": encoder.write(atoms.cell.array),
        "pbc": [bool(periodic) for periodic in atoms.pbc],
        "celldisp": encoder.write(atoms._celldisp),  # noqa: SLF001  its getter gives a copy of another shape
    }
    if atoms.info:
        tree["info"] = _inside(encoder, atoms.info, ".info")
    if atoms.constraints:
        tree["constraints"] = [_write_constraint(encoder, c, n) for n, c in enumerate(atoms.constraints)]
    results = _results(atoms)
    if results is not None:
        tree["calculator"] = {
            "name": _calculator_name(atoms.calc),
            "results": _inside(encoder, results, ".calc.results"),
        }
    return tree


def _inside(encoder: Encoder, value: Any, step: str) -> Tree:
    try:
        return encoder.write(value)
    except Fault as fault:
        raise fault.inside(step)  # noqa: B904  the same error, with its place


def _write_constraint(encoder: Encoder, constraint: Any, number: int) -> Tree:
    try:
        tree = _inside(encoder, constraint.todict(), f".constraints[{number}]")
        again = dict2constraint(Decoder(types=import_type, store=None, artifact=lambda t: t).decode(tree))
    except (AttributeError, NotImplementedError, ValueError, TypeError, KeyError):
        again = None
    if type(again) is not type(constraint):
        raise Fault(
            f"ASE cannot write its constraint {type(constraint).__name__} and read it back; remove it from the atoms, "
            "or say that they may be pickled: sciflow.Pickled[Atoms]"
        )
    return tree


def _results(atoms: Any) -> dict[str, Any] | None:
    calculator = atoms.calc
    results: dict[str, Any] = getattr(calculator, "results", None) or {}
    if not results:
        return None
    check = getattr(calculator, "check_state", None)
    return results if check is None or not check(atoms) else None


def _calculator_name(calculator: Any) -> str:
    return str(getattr(calculator, "name", None) or type(calculator).__name__.lower())


def read(decoder: Decoder, tree: Tree) -> Any:
    """The inverse of `write`."""
    if tree["$"] == "spacegroup":
        from ase.spacegroup import Spacegroup

        return Spacegroup(tree["no"], setting=tree["setting"])
    if "arrays" not in tree:
        return Cell(decoder.read(tree["cell"]))
    arrays = {name: decoder.read(array) for name, array in tree["arrays"].items()}
    atoms = Atoms(numbers=arrays["numbers"], cell=decoder.read(tree["cell"]), pbc=tree["pbc"])
    atoms.arrays = arrays
    atoms._celldisp = decoder.read(tree["celldisp"])  # noqa: SLF001
    atoms.info = decoder.read(tree.get("info", {}))
    if "constraints" in tree:
        atoms.set_constraint([dict2constraint(decoder.read(constraint)) for constraint in tree["constraints"]])
    if "calculator" in tree:
        calculator = SinglePointCalculator(atoms)
        calculator.name = tree["calculator"]["name"]
        calculator.results.update(decoder.read(tree["calculator"]["results"]))
        atoms.calc = calculator
    return atoms
