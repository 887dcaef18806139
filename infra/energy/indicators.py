"""The four indicators of a data centre, each the quotient of two yearly sums.

Definitions: EN 50600-4-2 (PUE), 4-3 (REF), 4-6 (ERF) and 4-9 (WUE), as delegated regulation (EU) 2024/1364
uses them in its annex III. Both energies of a quotient are in one unit; which, does not matter.
"""

from __future__ import annotations

import math


def pue(total: float, it: float) -> float:
    """Power usage effectiveness, EDC / EIT: at least 1, lower is better."""
    _sums(total=total, it=it)
    if it > total * (1 + 1e-9):
        raise ValueError(f"IT energy {it:g} exceeds total energy {total:g}")
    return total / it


def wue(water_m3: float, it_mwh: float) -> float:
    """Water usage effectiveness, WIN / EIT, in m³/MWh (the same number in L/kWh)."""
    _sums(water_m3=water_m3, it_mwh=it_mwh)
    return water_m3 / it_mwh


def erf(reused: float, total: float) -> float:
    """Energy reuse factor, EREUSE / EDC: only what leaves the boundary and replaces other energy counts."""
    _sums(reused=reused, total=total)
    return reused / total


def ref(renewable: float, total: float) -> float:
    """Renewable energy factor, ERES-TOT / EDC: 0 to 1; what exceeds the site's own use does not count.

    Nuclear energy earns none.
    """
    _sums(renewable=renewable, total=total)
    return min(renewable, total) / total


def _sums(**sums: float) -> None:
    *_, divisor = sums
    for name, value in sums.items():
        if not math.isfinite(value) or value < 0 or (name == divisor and value == 0):
            raise ValueError(
                f"{name} is {value:g}, a {'positive' if name == divisor else 'non-negative'} sum is needed"
            )
