"""Changes to a structure: strain, random displacement, vacancies. Each gives back new structures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ase import Atoms

from sciflow import context, op
from sciflow_ops.structures import read_structure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TRIES = 100  # at one displaced structure, before the distance asked for is called out of reach


@op
def scale_volume(atoms: Atoms, *, volume_scale: float) -> Atoms:
    """The structure with its volume multiplied, its shape and fractional coordinates kept.

    Raises:
        ValueError: no cell, or a scale that is not positive.
    """
    if atoms.cell.rank < 3 or volume_scale <= 0:
        raise ValueError(f"a volume can be scaled by a positive number only, found {volume_scale:g} for {atoms.cell}")
    scaled: Atoms = atoms.copy()
    scaled.set_cell(atoms.cell * volume_scale ** (1 / 3), scale_atoms=True)
    return scaled


@op
def strain(structure: Atoms | Path, *, scales: Sequence[float]) -> list[Atoms]:
    """One structure at several volumes, shape and fractional coordinates kept, for an equation of state.

    Args:
        structure: a structure, or a file that holds it.
        scales: volumes relative to the structure's own: [0.94, 0.96, ..., 1.06].

    Raises:
        ValueError: as of `scale_volume` and `read_structure`.
    """
    atoms = read_structure(structure) if isinstance(structure, Path) else structure
    return [scale_volume(atoms, volume_scale=scale) for scale in scales]


@op
def deform(atoms: Atoms, *, strains: Sequence[Sequence[float]]) -> list[Atoms]:
    """One structure under several homogeneous strains without rotation, fractional coordinates kept.

    Args:
        atoms: the structure.
        strains: (k, 6), xx yy zz yz xz xy, small strain with engineering shears: yz is 2 e_yz. The deformation is
            1 + e, so that stress = C strain holds to first order in Voigt's notation.

    Raises:
        ValueError: a strain that has not six numbers, or no cell.
    """
    return [_deformed(atoms, strain) for strain in strains]


def _deformed(atoms: Atoms, strain: Sequence[float] | NDArray[np.float64]) -> Atoms:
    import numpy as np

    if len(strain) != 6 or atoms.cell.rank < 3:
        raise ValueError(f"six numbers and a cell with three vectors expected, found {list(strain)} for {atoms.cell}")
    xx, yy, zz, yz, xz, xy = strain
    small = np.array([[xx, xy / 2, xz / 2], [xy / 2, yy, yz / 2], [xz / 2, yz / 2, zz]])
    deformed: Atoms = atoms.copy()
    deformed.set_cell(atoms.cell.array @ (np.eye(3) + small), scale_atoms=True)
    return deformed


@op
def rattle(
    atoms: Atoms,
    *,
    count: int = 1,
    stdev_A: float = 0.05,
    cell_strain: float = 0.0,
    min_distance_A: float = 0.0,
    seed: int | None = None,
) -> list[Atoms]:
    """Copies with random displacements of all atoms, and of the cell.

    Args:
        atoms: the structure.
        count: number of copies. The first n of a larger count are the same structures.
        stdev_A: standard deviation of each Cartesian coordinate (normal distribution).
        cell_strain: standard deviation of each component of a random small strain.
        min_distance_A: no two atoms come closer than that, periodic images included.
        seed: same seed, same structures, bit for bit; None for the task's own seed, which every slice has.

    Raises:
        ValueError: the distance cannot be kept.
    """
    import numpy as np

    seed = context().seed if seed is None else seed
    streams = [np.random.default_rng([seed, number]) for number in range(count)]
    return [_rattled(atoms, random, stdev_A, cell_strain, min_distance_A) for random in streams]


def _rattled(
    atoms: Atoms, random: np.random.Generator, stdev_A: float, cell_strain: float, min_distance_A: float
) -> Atoms:
    for _ in range(TRIES):
        moved = _deformed(atoms, _random_strain(random, cell_strain)) if cell_strain else atoms.copy()
        moved.positions += random.normal(scale=stdev_A, size=(len(atoms), 3))
        if _keeps_distance(moved, min_distance_A):
            return moved
    raise ValueError(
        f"in {TRIES} tries, atoms of {atoms.symbols} always came closer than min_distance_A={min_distance_A:g}; "
        f"lower it, or stdev_A={stdev_A:g}"
    )


def _random_strain(random: np.random.Generator, stdev: float) -> NDArray[np.float64]:
    import numpy as np

    components: NDArray[np.float64] = random.normal(scale=stdev, size=6) * np.array([1, 1, 1, 2, 2, 2])
    return components


def _keeps_distance(atoms: Atoms, min_distance_A: float) -> bool:
    from ase.neighborlist import neighbor_list

    return min_distance_A <= 0 or len(neighbor_list("d", atoms, min_distance_A)) == 0


@op
def vacancy(atoms: Atoms, *, index: int = 0) -> Atoms:
    """The structure without one of its atoms; in a cell that is to be large enough, see `supercell`.

    Raises:
        ValueError: no atom of that index.
    """
    if not -len(atoms) <= index < len(atoms):
        raise ValueError(f"{atoms.symbols} has {len(atoms)} atoms, none with the index {index}")
    without: Atoms = atoms.copy()
    del without[index]
    return without
