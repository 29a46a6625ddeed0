"""GFN-xTB by tblite, where it is installed, and what is said where it is not."""

from importlib.util import find_spec

import pytest
from ase.units import Hartree

from sciflow import MissingExtra
from sciflow_ops.calculation import Calc, Level
from sciflow_ops.single_point import singlepoint
from sciflow_ops.structures import molecule


@pytest.mark.skipif(find_spec("tblite") is not None, reason="tblite is installed")
def test_a_missing_package_is_said_with_the_command_that_installs_it():
    with pytest.raises(MissingExtra, match=r"pip install 'sciflow-hpc\[tblite\]'"):
        singlepoint(molecule("H2O"), calc=Calc("tblite", level=Level(method="gfn2-xtb")))


@pytest.mark.skipif(find_spec("tblite") is None, reason="tblite is not installed")
@pytest.mark.parametrize(
    ("name", "method", "expected"),
    [
        ("H2O", "gfn2-xtb", -5.07022229),
        ("H2O", "gfn1-xtb", -5.76844949),
        ("CH3CH2OH", "gfn2-xtb", -11.39142465),
        ("C6H6", "gfn1-xtb", -15.89434981),
    ],
)
def test_xtb_energies_are_those_of_the_xtb_program(name, method, expected):
    """Hartree, from `xtb` 6.5.1 at the same geometries."""
    found = singlepoint(molecule(name), calc=Calc("tblite", level=Level(method=method)))
    assert found.energy_eV / Hartree == pytest.approx(expected, abs=2e-8)
