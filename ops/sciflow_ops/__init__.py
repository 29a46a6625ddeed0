"""Prebuilt ops for computational chemistry, on ASE.

    structures      read and write any format ASE knows; crystals, molecules, surfaces, supercells
    perturb         strain, deform, rattle, vacancies
    calculation     what is asked of a code (`Level`, `Calc`) and what it gives back (`Calculation`)
    calculators     the table of codes
    single_point    energy, forces and stress of one structure
    relax           the nearest minimum of energy
    eos             equations of state
    aggregate       what comes after a fan: concatenate, group, reduce, rank, tabulate

Units: Å, eV, eV/Å, eV/Å^3, degrees, seconds; GPa where a name ends in `_GPa`. Signs are ASE's.
"""
