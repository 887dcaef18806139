"""RTE's éCO2mix: the national mix and its gCO2/kWh, from the published files to one frame in UTC.

Two families of file are read (both also inside the .zip they are published in):

* Open Data Réseaux Énergies, data sets `eco2mix-national-tr` (real time, 15 min) and
  `eco2mix-national-cons-def` (consolidated and definitive, 30 min): CSV, usually `;`, UTF-8, field names
  (`date_heure`, `taux_co2`) or labels (`Date et Heure`, `Taux de CO2 (g/kWh)`).
* rte-france.com/eco2mix, "télécharger les indicateurs": tab-separated Latin-1 text named `.xls`
  (`Périmètre, Nature, Date, Heures, Consommation, …`), with a disclaimer as its last row, a trailing empty
  column, and empty rows at :15 and :45 wherever data is half-hourly.

`taux_co2` is RTE's estimate of the direct emissions of generation in France per kWh generated: neither
life-cycle emissions nor those of imports are in it.
"""

from infra.energy.eco2mix.data import Eco2mix, merge
from infra.energy.eco2mix.read import load, parse

__all__ = ["Eco2mix", "load", "merge", "parse"]
