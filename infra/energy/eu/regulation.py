"""The rows that annexes I and II of delegated regulation (EU) 2024/1364 ask for, in its order and words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Indicator:
    """One thing that must be communicated.

    Attributes:
        id: unique; its symbol where that is unique (the regulation has two called TIN).
        point: annex, number and letter.
        name: as the regulation words it, shortened where it says it twice.
        symbol: of the regulation, empty if it has none.
        unit: of the regulation, empty for text.
        needs: what must be declared or metered to fill it in.
    """

    id: str
    point: str
    name: str
    symbol: str
    unit: str
    needs: str


_LEVEL = "redundancy compared to N, such as N+1"
_RETIRED = "guarantees of origin must be owned and retired by the data centre"

ANNEX_1 = (
    Indicator("name", "I.1(a)", "Data centre name", "", "", "name"),
    Indicator("owner", "I.1(b)", "Owner of the data centre", "", "", "name and contact details"),
    Indicator("operator", "I.1(b)", "Operator of the data centre", "", "", "name and contact details"),
    Indicator("location", "I.1(c)", "Location of the data centre", "", "", "LAU code of Eurostat's tables"),
    Indicator("type", "I.1(d)", "Type of data centre", "", "", "enterprise, colocation or co-hosting"),
    Indicator("entry", "I.1(e)", "Year and month of entry into operation", "", "", "year and month"),
    Indicator("high voltage", "I.2(a)", "Electrical redundancy at high voltage level", "", "", _LEVEL),
    Indicator(
        "low voltage", "I.2(a)", "Electrical redundancy at low voltage level (line-up)", "", "", _LEVEL
    ),
    Indicator("electrical rack", "I.2(a)", "Electrical redundancy at rack level", "", "", _LEVEL),
    Indicator("cooling room", "I.2(b)", "Cooling redundancy at room level", "", "", _LEVEL),
    Indicator("cooling rack", "I.2(b)", "Cooling redundancy at rack level", "", "", _LEVEL),
)

ANNEX_2 = (
    Indicator(
        "PDIT",
        "II.1(a)",
        "Installed information technology power demand",
        "PDIT",
        "kW",
        "nominal powers of network, servers and storage",
    ),
    Indicator("PDIT metric", "II.1(a)", "Metric used for PDIT", "", "", "installed or rated"),
    Indicator("SDC", "II.1(b)", "Data centre total floor area", "SDC", "m²", "floor area of all structures"),
    Indicator(
        "SCR", "II.1(c)", "Data centre computer room floor area", "SCR", "m²", "floor area of computer rooms"
    ),
    Indicator(
        "EDC",
        "II.1(d)",
        "Total energy consumption",
        "EDC",
        "kWh",
        "meters before the supply transfer switchgear (EN 50600-4-2)",
    ),
    Indicator(
        "EDC-BG",
        "II.1(d)",
        "Total energy consumption from back-up generators",
        "EDC-BG",
        "kWh",
        "meters of the generators",
    ),
    Indicator(
        "EIT",
        "II.1(e)",
        "Total energy consumption of information technology equipment",
        "EIT",
        "kWh",
        "meters at the UPS outputs (PUE category 1)",
    ),
    Indicator(
        "grid functions", "II.1(f)", "Electrical grid functions", "", "", "functions provided, or none"
    ),
    Indicator(
        "CBtG", "II.1(g)", "Average battery capacity", "CBtG", "kW", "capacity offered to the grid, or 0"
    ),
    Indicator(
        "WIN",
        "II.1(h)",
        "Total water input",
        "WIN",
        "m³",
        "meters at the boundary (EN 50600-4-9, category 2)",
    ),
    Indicator("WUE category", "II.1(h)", "WUE category used for WIN", "", "", "1 or 2"),
    Indicator(
        "WIN-POT",
        "II.1(i)",
        "Total potable water input",
        "WIN-POT",
        "m³",
        "meters at the boundary (category 1)",
    ),
    Indicator(
        "EREUSE", "II.1(j)", "Waste heat reused", "EREUSE", "kWh", "meters at the handover (EN 50600-4-6)"
    ),
    Indicator(
        "TWH",
        "II.1(k)",
        "Average waste heat temperature",
        "TWH",
        "°C",
        "coolant temperature before the heat exchangers",
    ),
    Indicator(
        "TIN air",
        "II.1(l)",
        "Average setpoint information technology equipment intake air temperature",
        "TIN",
        "°C",
        "set points of the computer rooms",
    ),
    Indicator("refrigerants", "II.1(m)", "Types of refrigerants", "", "", "common names, or none"),
    Indicator(
        "CDD",
        "II.1(n)",
        "Cooling degree days",
        "CDD",
        "degree-days",
        "of place and year, base 21 °C, by Eurostat's method",
    ),
    Indicator(
        "ERES-TOT",
        "II.1(o)",
        "Total renewable energy consumption",
        "ERES-TOT",
        "kWh",
        "the sum of ERES-GOO, ERES-PPA and ERES-OS (EN 50600-4-3)",
    ),
    Indicator(
        "ERES-GOO",
        "II.1(p)",
        "Total renewable energy consumption from guarantees of origin",
        "ERES-GOO",
        "kWh",
        _RETIRED,
    ),
    Indicator(
        "ERES-PPA",
        "II.1(q)",
        "Total renewable energy consumption from power purchasing agreements",
        "ERES-PPA",
        "kWh",
        _RETIRED,
    ),
    Indicator(
        "ERES-OS",
        "II.1(r)",
        "Total renewable energy consumption from on-site renewables",
        "ERES-OS",
        "kWh",
        f"meters of on-site generation, or 0; {_RETIRED}",
    ),
    Indicator(
        "CSERV",
        "II.2(a)",
        "ICT capacity for servers",
        "CSERV",
        "SERT active state performance",
        "manufacturers' declarations under regulation (EU) 2019/424",
    ),
    Indicator("CSERV floor", "II.2(a)", "Computer room floor area that CSERV covers", "", "%", "estimate"),
    Indicator(
        "CSTOR", "II.2(b)", "ICT capacity for storage equipment", "CSTOR", "PB", "raw capacity of all devices"
    ),
    Indicator("CSTOR floor", "II.2(b)", "Computer room floor area that CSTOR covers", "", "%", "estimate"),
    Indicator("BIN", "II.3(a)", "Incoming traffic bandwidth", "BIN", "GB/s", "provisioned, mean of the year"),
    Indicator(
        "BOUT", "II.3(b)", "Outgoing traffic bandwidth", "BOUT", "GB/s", "provisioned, mean of the year"
    ),
    Indicator("TIN traffic", "II.3(c)", "Incoming data traffic", "TIN", "EB", "counters over the year"),
    Indicator("TOUT", "II.3(d)", "Outgoing data traffic", "TOUT", "EB", "counters over the year"),
)
