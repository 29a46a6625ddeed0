"""Structures: read, write and build them. Changes to a structure are in `perturb`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ase import Atoms

from sciflow import op

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Element = Literal["sc", "fcc", "bcc", "hcp", "diamond"]
Compound = Literal["zincblende", "rocksalt", "cesiumchloride", "fluorite", "wurtzite", "l1_2", "l1_0"]


@op
def read_structure(file: Path, *, index: int = -1, format: str | None = None) -> Atoms:  # noqa: A002
    """Read one frame of a file.

    Args:
        file: in any format that ASE reads (ASE manual, `ase.io`).
        index: number of the frame from 0, from the end if negative.
        format: ASE's name of the format; None to tell it from the file.

    Raises:
        ValueError: the file cannot be read, or has no such frame.
    """
    frames = read_structures(file, format=format)
    try:
        return frames[index]
    except IndexError:
        raise ValueError(f"{file.name} has {len(frames)} frames, none with the index {index}") from None


@op
def read_structures(file: Path, *, index: str = ":", format: str | None = None) -> list[Atoms]:  # noqa: A002
    """Read all frames of a file, with whatever energies, forces and other data it carries.

    Args:
        file: in any format that ASE reads (ASE manual, `ase.io`).
        index: which frames, as a Python slice: ":", "0:100", "::10".
        format: ASE's name of the format; None to tell it from the file.

    Raises:
        ValueError: the file cannot be read.
    """
    from ase.io import read

    try:
        frames = read(file, index=index, format=format)
    except (FileNotFoundError, PermissionError, ImportError, MemoryError):
        raise  # which say it themselves
    except Exception as error:  # its many parsers meet what they do not expect with any exception, bare ones too
        raise ValueError(_unreadable(file, format, f"{type(error).__name__}: {error}".rstrip(": "))) from error
    frames = frames if isinstance(frames, list) else [frames]
    if not frames and index == ":":
        raise ValueError(_unreadable(file, format, "it holds no structure"))
    return frames


def _unreadable(file: Path, given: str | None, why: str) -> str:
    from ase.io.formats import UnknownFileTypeError, filetype

    try:
        told = f"as {given or filetype(str(file), guess=False)}"
    except (UnknownFileTypeError, OSError):
        told = "by its name or content"
    fix = "look whether the file is whole, or name another of ASE's formats: format=..."
    return f"{file.name} cannot be read {told}: {why}; {fix}"


@op
def write_structures(structures: Sequence[Atoms], *, format: str = "extxyz", name: str | None = None) -> Path:  # noqa: A002
    """Write frames to one file, in order.

    Args:
        structures: the frames.
        format: ASE's name of the format; it must be able to hold several frames, if there are several. "extxyz" keeps
            info, arrays, energies and forces, and rounds positions to 1e-8 Å.
        name: of the file; None for "structures." and the format.

    Raises:
        ValueError: ASE does not write this format, or not several frames.
    """
    from ase.io import write
    from ase.io.formats import ioformats

    if format not in ioformats or not ioformats[format].can_write:
        known = ", ".join(name for name, entry in ioformats.items() if entry.can_write)
        raise ValueError(f"ASE does not write {format!r}; it writes {known}")
    if len(structures) != 1 and ioformats[format].single:
        raise ValueError(f"a {format} file holds one frame, found {len(structures)}; extxyz and traj hold many")
    path = Path(name or f"structures.{format}")
    write(path, list(structures), format=format)
    return path


@op
def crystal(
    formula: str,
    *,
    prototype: Element | Compound | None = None,
    a_A: float | None = None,
    c_A: float | None = None,
    cubic: bool = False,
) -> Atoms:
    """A crystal of a common prototype.

    Args:
        formula: an element, or the elements in the prototype's order: "NaCl", "GaAs"; "Cu3Au" (l1_2), "CuAu" (l1_0).
        prototype: None for an element's own structure.
        a_A: lattice constant; None for an element's own (room temperature, Ashcroft and Mermin, as in ASE). Of l1_0 it
            is that of the face-centred tetragonal cell, whose planes along c alternate.
        c_A: lattice constant along c, where it is another one.
        cubic: the conventional cubic cell instead of the primitive one; l1_2 and l1_0 always have four atoms.

    Raises:
        ValueError: a lattice constant is needed, or the formula does not fit the prototype.
    """
    if prototype in {"l1_2", "l1_0"}:
        return _ordered(formula, str(prototype), a_A, c_A)
    from ase.build import bulk

    try:
        made: Atoms = bulk(formula, prototype, a=a_A, c=c_A, cubic=cubic)
    except (KeyError, RuntimeError, ValueError) as error:
        why = str(error).partition("  Reference data")[0]  # ASE ends with a dictionary, here empty
        hint = "" if prototype else " Of a compound, say prototype=... and a_A=..."
        raise ValueError(f"no {prototype or 'elemental'} crystal of {formula!r}: {why}{hint}") from error
    return made


def _ordered(formula: str, prototype: str, a_A: float | None, c_A: float | None) -> Atoms:
    """Four atoms on the sites of an fcc lattice: 3 to 1 (L1_2), or in alternate planes along c (L1_0)."""
    from ase.formula import Formula

    counts = Formula(formula).count()
    expected = [1, 3] if prototype == "l1_2" else [1, 1]
    if sorted(counts.values()) != expected:
        raise ValueError(f"{prototype} takes two elements {expected[1]} to {expected[0]}, found {formula!r}")
    if a_A is None:
        raise ValueError(f"{prototype} of {formula!r} needs a_A, the edge of the cell with four atoms")
    rare, common = sorted(counts, key=lambda element: (counts[element], formula.index(element)))
    symbols = [rare, common, common, common] if prototype == "l1_2" else [rare, rare, common, common]
    sites = [(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
    return Atoms(symbols, scaled_positions=sites, cell=[a_A, a_A, c_A or a_A], pbc=True)


@op
def molecule(name: str, *, vacuum_A: float | None = None) -> Atoms:
    """A molecule of the G2 set, at its MP2(full)/6-31G(d) geometry (ASE manual, `ase.build.molecule`).

    Args:
        name: "H2O", "CH3CH2OH", "C6H6", ...; also an element's symbol for an atom.
        vacuum_A: free space on every side of a cell around it; None for no cell.

    Raises:
        ValueError: no molecule of that name.
    """
    from ase.build import molecule as build

    try:
        made: Atoms = build(name, vacuum=vacuum_A)
    except KeyError:
        raise ValueError(f"no molecule {name!r} in the G2 set; ase.collections.g2.names lists them") from None
    return made


@op
def surface(
    crystal: Atoms,
    *,
    miller: tuple[int, int, int] = (1, 1, 1),
    layers: int = 4,
    vacuum_A: float = 10.0,
    repeat: tuple[int, int] = (1, 1),
) -> Atoms:
    """A slab cut from a crystal, periodic in the plane, its normal along z.

    Args:
        crystal: the crystal in its conventional cell, which the Miller indices refer to.
        miller: indices of the surface.
        layers: number of equivalent layers; a layer may be several planes of atoms.
        vacuum_A: free space on either side.
        repeat: copies of the surface cell along its two vectors.

    Raises:
        ValueError: indices that are no surface, no layer, or no vacuum.
    """
    from ase.build import surface as cut

    if layers < 1 or vacuum_A <= 0:
        raise ValueError(f"a slab needs layers >= 1 and vacuum_A > 0, found {layers} and {vacuum_A:g}")
    slab: Atoms = cut(crystal, miller, layers, vacuum=vacuum_A).repeat((*repeat, 1))
    return slab


@op
def supercell(
    atoms: Atoms,
    *,
    repeat: tuple[int, int, int] | None = None,
    matrix: list[list[int]] | None = None,
    min_length_A: float | None = None,
    max_atoms: int | None = None,
) -> Atoms:
    """A larger cell of the same crystal. Exactly one of the four says how large.

    Args:
        atoms: the crystal.
        repeat: copies along the three vectors.
        matrix: (3, 3), rows are the new vectors in units of the old ones.
        min_length_A: repeat until opposite faces of the cell are at least so far apart.
        max_atoms: repeat along the thinnest direction, as long as there are not more atoms than that.

    Raises:
        ValueError: none of the four, or several; a matrix whose determinant is not positive.
    """
    import numpy as np
    from ase.build import make_supercell

    given = [value for value in (repeat, matrix, min_length_A, max_atoms) if value is not None]
    if len(given) != 1:
        raise ValueError(f"give one of repeat, matrix, min_length_A, max_atoms; found {len(given)}")
    if matrix is not None and np.linalg.det(matrix) < 0.5:
        raise ValueError(f"the determinant of the matrix must be 1 or more, found {np.linalg.det(matrix):g}")
    if min_length_A is not None:
        repeat = _repeats(min_length_A, _heights(atoms))
    if max_atoms is not None:
        repeat = _largest(atoms, max_atoms)
    larger: Atoms = atoms.repeat(repeat) if matrix is None else make_supercell(atoms, np.array(matrix))
    return larger


def _heights(atoms: Atoms) -> NDArray[np.float64]:
    """Distances between opposite faces of the cell, Å."""
    import numpy as np

    heights: NDArray[np.float64] = 1 / np.linalg.norm(atoms.cell.reciprocal(), axis=1)
    return heights


def _repeats(length_A: float, heights: NDArray[np.float64]) -> tuple[int, int, int]:
    first, second, third = (max(1, math.ceil(length_A / height - 1e-9)) for height in heights)
    return first, second, third


def _largest(atoms: Atoms, max_atoms: int) -> tuple[int, int, int]:
    if len(atoms) > max_atoms:
        raise ValueError(f"{atoms.symbols} has {len(atoms)} atoms, more than max_atoms={max_atoms}")
    heights = _heights(atoms)
    counts = [1, 1, 1]
    while True:
        thinnest = min(range(3), key=lambda axis: heights[axis] * counts[axis])
        counts[thinnest] += 1
        if len(atoms) * counts[0] * counts[1] * counts[2] > max_atoms:
            counts[thinnest] -= 1
            return counts[0], counts[1], counts[2]
