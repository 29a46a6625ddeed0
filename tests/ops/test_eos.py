import numpy as np
import pytest
from ase import eos as ase_eos
from ase.build import bulk
from ase.eos import EquationOfState, eos_names
from ase.units import GPa

from sciflow_ops.calculation import Calc
from sciflow_ops.eos import POWERS, equation_of_state, fit_eos
from sciflow_ops.perturb import strain
from sciflow_ops.single_point import singlepoint

EMT = Calc("emt")
SCALES = np.linspace(0.94, 1.06, 9).tolist()
SILICON = {"V0": 20.4575, "E0": -5.4, "B0": 88.51 * GPa, "BP": 4.312}  # PBE, all-electron (Bosoni 2024)
EMT_METALS = {  # a in Å, B in GPa, by ASE's own tools
    "Al": (3.9942, 39.8),
    "Cu": (3.5898, 134.4),
    "Ag": (4.0635, 100.1),
    "Au": (4.0562, 173.8),
    "Ni": (3.4870, 176.0),
    "Pd": (3.8787, 179.0),
    "Pt": (3.9218, 277.9),
}


@pytest.mark.parametrize("form", ["birchmurnaghan", "birch", "murnaghan", "vinet", "pouriertarantola"])
def test_a_form_is_fitted_exactly_to_its_own_energies(form):
    volumes = np.linspace(0.9, 1.1, 9) * SILICON["V0"]
    energies = getattr(ase_eos, form)(volumes, **SILICON)
    fit = fit_eos(volumes.tolist(), energies.tolist(), form=form)
    assert fit.v0_A3 == pytest.approx(20.4575, abs=1e-5)
    assert fit.b0_GPa == pytest.approx(88.51, abs=1e-3)
    assert fit.b1 == pytest.approx(4.312, abs=1e-3)
    assert fit.e0_eV == pytest.approx(-5.4, abs=1e-8)
    assert fit.rms_eV < 1e-8


def aluminium():
    """The points of ASE's own test of its fits: two atoms, EMT."""
    cell = bulk("Al", "fcc", a=4.0, orthorhombic=True)
    strained = strain(cell, scales=(np.linspace(0.98, 1.01, 5) ** 3).tolist())
    return [(a.get_volume(), singlepoint(a, calc=EMT).energy_eV) for a in strained]


@pytest.mark.parametrize("form", eos_names)
def test_every_form_of_ase_gives_ases_values_for_aluminium(form):
    """V0 31.8659 Å^3, E -0.00976188 eV, B 0.246813 eV/Å^3, as `test_eos.py` of ASE expects them."""
    volumes, energies = zip(*aluminium(), strict=True)
    fit = fit_eos(volumes, energies, form=form)
    assert fit.v0_A3 == pytest.approx(31.8658700, abs=4e-4)
    assert fit.e0_eV == pytest.approx(-9.76187802e-03, abs=1e-6)
    assert fit.b0_GPa * GPa == pytest.approx(0.246812688, abs=2e-4)


@pytest.mark.parametrize("form", eos_names)
def test_our_linear_fits_are_ases_iterated_ones(form):
    volumes, energies = zip(*aluminium(), strict=True)
    fit = fit_eos(volumes, energies, form=form)
    v0, e0, b0 = EquationOfState(volumes, energies, eos=form).fit()
    assert fit.v0_A3 == pytest.approx(v0, rel=1e-7)
    assert fit.e0_eV == pytest.approx(e0, abs=1e-9)
    assert fit.b0_GPa * GPa == pytest.approx(b0, rel=2e-5)


@pytest.mark.parametrize("form", eos_names)
def test_modulus_and_derivative_are_those_of_the_curve(form):
    """B = V E'' and B' = -1 - V E'''/E'' at the minimum, by finite differences of the fitted curve."""
    volumes, energies = zip(*aluminium(), strict=True)
    fit = fit_eos(volumes, energies, form=form)
    step = 0.05
    minus2, minus, here, plus, plus2 = fit.curve([fit.v0_A3 + k * step for k in (-2, -1, 0, 1, 2)])
    second = (plus - 2 * here + minus) / step**2
    third = (plus2 - 2 * plus + 2 * minus - minus2) / (2 * step**3)
    assert here == pytest.approx(fit.e0_eV, abs=1e-12)
    assert fit.v0_A3 * second / GPa == pytest.approx(fit.b0_GPa, rel=1e-4)
    assert -1 - fit.v0_A3 * third / second == pytest.approx(fit.b1, rel=2e-3)


@pytest.mark.parametrize("form", eos_names)
def test_residuals_are_points_minus_curve(form):
    volumes, energies = zip(*aluminium(), strict=True)
    fit = fit_eos(volumes, energies, form=form)
    assert np.array(fit.energies_eV) - fit.curve(fit.volumes_A3) == pytest.approx(np.array(fit.residuals_eV), abs=1e-12)
    assert fit.rms_eV == pytest.approx(np.sqrt(np.mean(np.square(fit.residuals_eV))))
    assert fit.rms_eV < 1e-5


@pytest.mark.parametrize("symbol", EMT_METALS)
def test_the_seven_metals_of_emt_have_their_lattice_constants_and_moduli(symbol):
    fit = equation_of_state([singlepoint(a, calc=EMT) for a in strain(bulk(symbol), scales=SCALES)])
    lattice, modulus = EMT_METALS[symbol]
    assert (4 * fit.v0_A3) ** (1 / 3) == pytest.approx(lattice, abs=2e-4)
    assert fit.b0_GPa == pytest.approx(modulus, abs=0.15)


def test_the_curve_of_a_supercell_is_that_of_its_cell():
    small, large = (
        equation_of_state([singlepoint(a, calc=EMT) for a in strain(cell, scales=SCALES)])
        for cell in (bulk("Cu"), bulk("Cu") * 2)
    )
    assert large.v0_A3 == pytest.approx(small.v0_A3)
    assert large.b0_GPa == pytest.approx(small.b0_GPa)


def test_a_point_that_failed_is_left_out():
    points = aluminium()
    volumes, energies = zip(*points, strict=True)
    with_hole = fit_eos(volumes, [energies[0], None, *energies[2:]])
    assert with_hole == fit_eos(volumes[:1] + volumes[2:], energies[:1] + energies[2:])
    assert len(with_hole.volumes_A3) == 4
    calculations = [singlepoint(a, calc=EMT) for a in strain(bulk("Cu"), scales=SCALES)]
    assert len(equation_of_state([None, *calculations]).energies_eV) == len(SCALES)


def test_the_order_of_the_points_does_not_matter():
    volumes, energies = zip(*aluminium(), strict=True)
    assert fit_eos(volumes[::-1], energies[::-1]) == fit_eos(volumes, energies)


def test_a_minimum_outside_the_points_is_warned_of():
    volumes, energies = zip(*aluminium(), strict=True)
    outside = ase_eos.birchmurnaghan(np.linspace(1.02, 1.1, 6) * 20, -1.0, 0.5, 4.0, 20.0)
    with pytest.warns(UserWarning, match=r"V0 = 20\.0000 Å\^3 lies outside the points, 20\.4000 to 22\.0000"):
        fit = fit_eos((np.linspace(1.02, 1.1, 6) * 20).tolist(), outside.tolist())
    assert not fit.bracketed
    assert fit_eos(volumes, energies).bracketed


@pytest.mark.parametrize("form", ["birchmurnaghan", "murnaghan"])
def test_energies_without_a_minimum_are_refused(form):
    volumes = np.linspace(10, 20, 7)
    with pytest.raises(ValueError, match="the energies have no minimum near 10 to 20"):
        fit_eos(volumes.tolist(), np.exp(-volumes / 5).tolist(), form=form)
    with pytest.raises(ValueError, match="finds none"):
        fit_eos(volumes.tolist(), (-volumes).tolist(), form=form)


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="needs 4 different volumes, found 3"):
        fit_eos([1.0, 2.0, 3.0, 3.0], [1.0, 0.5, 1.0, 1.0])
    with pytest.raises(ValueError, match="2 volumes and 1 energies"):
        fit_eos([1.0, 2.0], [1.0])
    calculation = singlepoint(bulk("Cu"), calc=EMT)._replace(converged=False)
    with pytest.raises(ValueError, match="calculation 0 of Cu has not converged"):
        equation_of_state([calculation] * 5)


def test_the_forms_are_those_of_ase():
    from typing import get_args

    from sciflow_ops.eos import Form

    assert set(get_args(Form)) == set(eos_names)
    assert set(eos_names) > POWERS.keys()
