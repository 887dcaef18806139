"""Header variants of éCO2mix files: every spelling of a column to its one field name.

Sources: field names and French labels of the data sets eco2mix-national-tr and eco2mix-national-cons-def
(Open Data Réseaux Énergies), and the header of the files of rte-france.com/eco2mix.
"""

from __future__ import annotations

import re
import unicodedata

ENERGY = {
    "consommation": "consumption_mw",
    "nucleaire": "nuclear_mw",
    "charbon": "coal_mw",
    "gaz": "gas_mw",
    "fioul": "oil_mw",
    "eolien": "wind_mw",
    "solaire": "solar_mw",
    "hydraulique": "hydro_mw",
    "pompage": "pumping_mw",
    "bioenergies": "bioenergy_mw",
    "ech_physiques": "exchange_mw",
}
"""Field name → column of our frame (MW; exchange_mw > 0 for imports, pumping_mw ≤ 0)."""

CO2 = "taux_co2"
TIMES = ("perimetre", "nature", "date", "heure", "date_heure")

_ALIASES = {
    "heures": "heure",
    "date_et_heure": "date_heure",
    "date_heure_utc": "date_heure",
    "taux_de_co2": CO2,
    "prevision_j_1": "prevision_j1",
    "ech_physique": "ech_physiques",
    "hydraulique_fil_de_l_eau_eclusee": "hydraulique_fil_eau_eclusee",
}
_KNOWN = frozenset({*ENERGY, CO2, *TIMES, *_ALIASES, *_ALIASES.values(), "prevision_j"})


def slug(label: str) -> str:
    """A header's label without accents, unit and punctuation: `Taux de CO2 (g/kWh)` → `taux_de_co2`."""
    bare = re.sub(r"\((?:MW|MWh|g/kWh|gCO2/kWh)\)", "", label.replace("\ufeff", ""), flags=re.IGNORECASE)
    ascii_only = unicodedata.normalize("NFKD", bare).encode("ascii", "ignore").decode()
    return re.sub(r"[^0-9a-z]+", "_", ascii_only.lower()).strip("_")


def field(label: str) -> str:
    """The field name of a header's label; what is not known keeps its slug.

    A file that once was read in the wrong encoding has `?` or U+FFFD where accents were (`Nucl?aire`); such
    a letter matches any one.
    """
    if re.search(r"[?\ufffd]", label) and (repaired := _repaired(label)):
        return _ALIASES.get(repaired, repaired)
    name = slug(label)
    return _ALIASES.get(name, name)


def _repaired(label: str) -> str | None:
    # The wildcard takes the way of a letter through slug(), and becomes "any letter" after it.
    wanted = re.compile("^" + slug(re.sub(r"[?\ufffd]", "qzq", label)).replace("qzq", ".") + "$")
    return next((name for name in sorted(_KNOWN) if wanted.match(name)), None)
