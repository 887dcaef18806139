"""The yearly data sheet of delegated regulation (EU) 2024/1364, annexes I to IV, as tables.

Who must report: operators of data centres of at least 500 kW of installed IT power (directive (EU) 2023/1791,
article 12); what: the calendar year before; until when: 15 May. The text is at
data.europa.eu/eli/reg_del/2024/1364/oj; names, symbols and units here are the regulation's own (it uses TIN
twice, so rows are known by their point).

A plan can fill in only what follows from a declaration. Such values say "planned"; what nobody knows says
"unknown" and stays empty; what was metered comes from a file of measured values and says "measured".
"""

from infra.energy.eu.annexes import tables
from infra.energy.eu.facts import Facts
from infra.energy.eu.measured import read_measured
from infra.energy.eu.rows import Given, Row, Status, Table
from infra.energy.eu.write import write

__all__ = ["Facts", "Given", "Row", "Status", "Table", "read_measured", "tables", "write"]
