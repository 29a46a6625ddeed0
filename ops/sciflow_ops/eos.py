"""Equations of state: energy against volume, fitted to the forms that ASE knows.

Four of the forms are a cubic polynomial in V^q (q = -2/3: Birch and Murnaghan's third order; q = -1/3: the stabilised
jellium form; q = 1: Taylor and "p3"), fitted here exactly by linear least squares. The others are ASE's functions,
fitted by its own iteration.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from sciflow import op
from sciflow_ops.calculation import Calculation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Form = Literal[
    "birchmurnaghan", "birch", "murnaghan", "vinet", "pouriertarantola", "anton-schmidt", "sj", "taylor", "p3"
]
POWERS = {"birchmurnaghan": -2 / 3, "birch": -2 / 3, "sj": -1 / 3, "taylor": 1.0, "p3": 1.0}


class EosFit(NamedTuple):
    """An equation of state; energies and volumes are of whatever was fitted, a cell or an atom."""

    v0_A3: float  # volume of lowest energy
    e0_eV: float  # energy there
    b0_GPa: float  # bulk modulus there
    b1: float  # its pressure derivative
    rms_eV: float  # root mean square of the residuals
    form: Form
    volumes_A3: tuple[float, ...]  # the points, without those that were missing
    energies_eV: tuple[float, ...]
    residuals_eV: tuple[float, ...]  # point minus curve
    bracketed: bool  # whether the minimum lies between the points

    def curve(self, volumes_A3: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """The fitted energies at some volumes, eV."""
        import numpy as np

        minimum = _Minimum(self.v0_A3, self.e0_eV, self.b0_GPa * _gigapascal(), self.b1)
        return _curve(self.form, np.asarray(volumes_A3, dtype=float), minimum)


@op
def fit_eos(
    volumes_A3: Sequence[float], energies_eV: Sequence[float | None], *, form: Form = "birchmurnaghan"
) -> EosFit:
    """Fit an equation of state to energies at several volumes.

    Args:
        volumes_A3: n >= 4 different volumes.
        energies_eV: the n energies; None for a point that failed, which is left out.
        form: one of ASE's list (ASE manual, `ase.eos`); see F. Birch, Phys. Rev. 71, 809 (1947) for the default.

    Warns:
        UserWarning: the minimum lies outside the points, so that the fit extrapolates.

    Raises:
        ValueError: lists of unequal length, fewer than four points, or energies without a minimum.
    """
    import numpy as np

    if len(volumes_A3) != len(energies_eV):
        raise ValueError(f"{len(volumes_A3)} volumes and {len(energies_eV)} energies: one energy per volume expected")
    points = sorted((v, e) for v, e in zip(volumes_A3, energies_eV, strict=True) if e is not None)
    if len({v for v, _ in points}) < 4:
        raise ValueError(f"an equation of state needs 4 different volumes, found {len({v for v, _ in points})}")
    volumes, energies = np.array(points, dtype=float).T
    minimum = _fit(form, volumes, energies)
    bracketed = bool(volumes[0] < minimum.v0 < volumes[-1])
    if not bracketed:
        found = f"V0 = {minimum.v0:.4f} Å^3 lies outside the points, {volumes[0]:.4f} to {volumes[-1]:.4f} Å^3"
        warnings.warn(f"{found}: take other volumes", UserWarning, stacklevel=2)
    residuals = energies - _curve(form, volumes, minimum)
    return EosFit(
        v0_A3=minimum.v0,
        e0_eV=minimum.e0,
        b0_GPa=minimum.b0 / _gigapascal(),
        b1=minimum.b1,
        rms_eV=float(np.sqrt(np.mean(residuals**2))),
        form=form,
        volumes_A3=tuple(volumes.tolist()),
        energies_eV=tuple(energies.tolist()),
        residuals_eV=tuple(residuals.tolist()),
        bracketed=bracketed,
    )


@op
def equation_of_state(calculations: Sequence[Calculation | None], *, form: Form = "birchmurnaghan") -> EosFit:
    """The equation of state per atom of one structure at several volumes.

    Args:
        calculations: n >= 4 of them, in any order; None for one that failed, which is left out.
        form: as of `fit_eos`.

    Raises:
        ValueError: as of `fit_eos`, or a calculation that has not converged.
    """
    done = [calculation for calculation in calculations if calculation is not None]
    for number, calculation in enumerate(done):
        if not calculation.converged:
            where = f"calculation {number} of {calculation.atoms.symbols}"
            raise ValueError(f"{where} has not converged; leave it out or repeat it")
    volumes = [float(c.atoms.get_volume()) / len(c.atoms) for c in done]
    energies = [c.free_energy_eV / len(c.atoms) for c in done]
    return fit_eos(volumes, energies, form=form)


class _Minimum(NamedTuple):
    """The four parameters of every form, in Å^3, eV and eV/Å^3."""

    v0: float
    e0: float
    b0: float
    b1: float


def _fit(form: Form, volumes: NDArray[np.float64], energies: NDArray[np.float64]) -> _Minimum:
    fitted = _fit_cubic(POWERS[form], volumes, energies) if form in POWERS else _iterate(form, volumes, energies)
    reach = (volumes[-1] - volumes[0]) / 2
    if fitted is None or not (volumes[0] - reach < fitted.v0 < volumes[-1] + reach and fitted.b0 > 0):
        found = "none" if fitted is None else f"V0 = {fitted.v0:.4g} Å^3, B0 = {fitted.b0:.4g} eV/Å^3"
        raise ValueError(
            f"the energies have no minimum near {volumes[0]:.4g} to {volumes[-1]:.4g} Å^3 ({form} finds {found}): "
            "take other volumes, or look at the points"
        )
    return fitted


def _iterate(form: Form, volumes: NDArray[np.float64], energies: NDArray[np.float64]) -> _Minimum | None:
    """ASE's fit; None where it finds no solution."""
    from ase.eos import EquationOfState
    from scipy.optimize import OptimizeWarning

    state = EquationOfState(volumes, energies, eos=form)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (OptimizeWarning, RuntimeWarning))  # about a covariance that nobody asked for
        try:
            v0, e0, b0 = state.fit(warn=False)
        except RuntimeError:
            return None
    return _Minimum(float(v0), float(e0), float(b0), float(state.eos_parameters[2]))


def _fit_cubic(power: float, volumes: NDArray[np.float64], energies: NDArray[np.float64]) -> _Minimum | None:
    """The minimum of a cubic in x = (V / V_mean)^q, if it has one; derivatives in V by the chain rule."""
    import numpy as np

    middle = volumes.mean()
    points = (volumes / middle) ** power
    centre = points.mean()
    e, c, b, a = np.polynomial.polynomial.polyfit(points - centre, energies, 3)
    discriminant = b**2 - 3 * a * c
    if discriminant <= 0:
        return None
    # Of the two roots of the derivative, the one where the curvature is positive; the form that does not cancel.
    shift = -c / (b + discriminant**0.5) if b > 0 else (discriminant**0.5 - b) / (3 * a)
    x0 = centre + shift
    if x0 <= 0:
        return None
    v0 = middle * x0 ** (1 / power)
    second, third = 2 * discriminant**0.5, 6 * a
    return _Minimum(
        v0=float(v0),
        e0=float(e + shift * (c + shift * (b + shift * a))),
        b0=float(second * (power * x0) ** 2 / v0),
        b1=float(2 - 3 * power - power * x0 * third / second),
    )


def _curve(form: Form, volumes: NDArray[np.float64], minimum: _Minimum) -> NDArray[np.float64]:
    v0, e0, b0, b1 = minimum
    if form in POWERS:
        q = POWERS[form]
        x = (volumes / v0) ** q - 1
        second = b0 * v0 / (2 * q**2)
        third = second * (2 - 3 * q - b1) / (3 * q)
        curve: NDArray[np.float64] = e0 + second * x**2 + third * x**3
        return curve
    from ase import eos

    function = getattr(eos, form.replace("-", "_"))
    values: NDArray[np.float64] = function(volumes, e0, b0, b1, v0)
    return values


def _gigapascal() -> float:
    """One GPa in eV/Å^3."""
    from ase.units import GPa

    return float(GPa)
