"""The plot of `eos_metals.py`."""

import re
from pathlib import Path
from typing import Any

from sciflow import op
from sciflow_ops.eos import EosFit

INK, FAINT, COMPUTED = "#22303c", "#d3dae0", "#c8442b"
STYLE: Any = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titlepad": 22,
    "font.size": 10,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@op
def draw(files: list[Path], fits: list[EosFit], rows: list[Any]) -> Path:
    """Energy against volume of all structures, and lattice constants and bulk moduli beside experiment."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    names = [re.sub(r"(\d+)", r"$_\1$", file.stem) for file in files]
    with plt.rc_context(STYLE):
        figure, (left, middle, right) = plt.subplots(
            1, 3, figsize=(13, 5), width_ratios=[1.7, 1, 1], layout="constrained"
        )
        _curves(left, names, fits)
        _pairs(middle, names, [(row.a_A, row.a_exp_A) for row in rows])
        middle.set(title="Lattice constant", xlabel="a (Å)")
        _pairs(right, names, [(row.b0_GPa, row.b0_exp_GPa) for row in rows])
        right.set(title="Bulk modulus", xlabel="B (GPa)", xlim=(0, None))
        path = Path("eos_metals.png")
        figure.savefig(path, dpi=160)
        plt.close(figure)
    return path


def _curves(axes: Any, names: list[str], fits: list[EosFit]) -> None:
    """Energies above the minimum: points as computed, lines as fitted, names below in two rows."""
    import numpy as np
    from matplotlib import colormaps

    hues = colormaps["viridis"](np.linspace(0, 0.85, len(fits)))
    by_volume = sorted(zip(fits, names, strict=True), key=lambda pair: pair[0].v0_A3)
    for place, (hue, (fit, name)) in enumerate(zip(hues, by_volume, strict=True)):
        volumes = np.linspace(fit.volumes_A3[0], fit.volumes_A3[-1], 200)
        axes.plot(volumes, 1000 * (fit.curve(volumes) - fit.e0_eV), color=hue, lw=1.4)
        axes.plot(fit.volumes_A3, 1000 * (np.array(fit.energies_eV) - fit.e0_eV), "o", color=hue, ms=3.5)
        below = (0, -7 - 13 * (place % 2))
        axes.annotate(name, (fit.v0_A3, 0), below, textcoords="offset points", ha="center", va="top", color=hue)
    axes.set(title="Equations of state", xlabel="volume per atom (Å$^3$)", ylabel="E − E$_0$ per atom (meV)")
    axes.set(ylim=(-22, None), yticks=range(0, 176, 25))
    axes.text(0, 1.025, "points: computed, lines: Birch–Murnaghan", transform=axes.transAxes)


def _pairs(axes: Any, names: list[str], values: list[tuple[float, float | None]]) -> None:
    """Computed and measured values of each structure, joined by a line."""
    for place, (computed, measured) in enumerate(values):
        if measured is not None:
            axes.plot([computed, measured], [place, place], color=FAINT, lw=4, solid_capstyle="round", zorder=1)
            axes.plot(measured, place, "o", mfc="white", mec=INK, ms=7, label="experiment" if place == 0 else None)
        axes.plot(computed, place, "o", color=COMPUTED, ms=6, label="EMT" if place == 0 else None)
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    axes.legend(
        frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(-0.02, 0.985), handletextpad=0.1, columnspacing=1
    )
