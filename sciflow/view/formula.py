"""The sum formula of an `ase.Atoms` tree, without ASE."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from typing import Any

NAMES = (
    "X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr "
    "Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W "
    "Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt "
    "Ds Rg Cn Nh Fl Mc Lv Ts Og"
)
SYMBOLS = NAMES.split()  # by atomic number


def formula(tree: Mapping[str, Any]) -> str:
    """`AuCu3`, carbon and hydrogen first, then by the alphabet; `atoms` where the numbers cannot be read."""
    match tree:
        case {"arrays": {"numbers": {"dtype": "<i8", "v": str(text)}}}:
            data = b64decode(text)
            counts = Counter(SYMBOLS[number] for number in struct.unpack(f"<{len(data) // 8}q", data))
            return "".join(s if counts[s] == 1 else f"{s}{counts[s]}" for s in sorted(counts, key=_rank)) or "no atoms"
        case _:
            return "atoms"


def _rank(symbol: str) -> tuple[int, str]:
    return ({"C": 0, "H": 1}.get(symbol, 2), symbol)
