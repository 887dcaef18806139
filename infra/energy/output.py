"""A site's energy figures for people (text) and programs (one JSON object)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.energy.figures import Year
    from infra.energy.findings import Finding
    from infra.energy.guard import Gate
    from infra.energy.inputs import SiteEnergy

FIDELITY = "simulated (numbers): computed from the plan, nothing metered"

_SHOWN_FINDINGS = 8


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that `gigasite energy` says about a site.

    Attributes:
        site: its numbers.
        years: ascending.
        gates: of its grid guard, at `moment`.
        moment: when that is, as text; None if the site declares no guard.
        findings: oddities of the files that were read.
    """

    site: SiteEnergy
    years: tuple[Year, ...]
    gates: tuple[Gate, ...] = ()
    moment: str | None = None
    findings: tuple[Finding, ...] = ()


def format_json(sheet: Sheet) -> dict[str, Any]:
    """One JSON object; energies in MWh, emissions in tCO2e, heat in MWh thermal; nine significant digits."""
    found: dict[str, Any] = _rounded(_json(sheet))
    return found


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def _json(sheet: Sheet) -> dict[str, Any]:
    last = sheet.site.steps[-1]
    return {
        "site": sheet.site.name,
        "fidelity": FIDELITY,
        "full_power": {
            "facility_mw": last.facility_mw,
            "it_mw": last.it_mw,
            "captured_mw": last.capture_mw,
            "other_heat_mw": last.it_mw - last.capture_mw,
            "erf_ceiling": last.capture_mw / last.facility_mw,
            "load": sheet.site.load,
        },
        "years": [_year(year) for year in sheet.years],
        "grid_guard": {
            "now": sheet.moment,
            "gates": [
                {
                    "name": gate.name,
                    "holds": gate.holds,
                    "basis": gate.basis,
                    "value": gate.value,
                    "limit": gate.limit,
                    "reason": gate.reason,
                    "data_time": gate.data_time.isoformat() if gate.data_time else None,
                    "opens_at": gate.opens_at.isoformat() if gate.opens_at else None,
                }
                for gate in sheet.gates
            ],
        },
        "findings": [
            {
                "file": finding.file,
                "line": finding.line,
                "last_line": max(finding.line, finding.last_line),
                "kind": finding.kind,
                "count": finding.count,
                "message": finding.message,
            }
            for finding in sheet.findings
        ],
    }


def _year(year: Year) -> dict[str, Any]:
    return {
        "year": year.year,
        "hours": year.hours,
        "edc_mwh": year.edc_mwh,
        "eit_mwh": year.eit_mwh,
        "captured_mwh": year.captured_mwh,
        "reused_mwh": year.reused_mwh,
        "water_m3": year.water_m3,
        "pue": year.pue,
        "wue": year.wue,
        "erf": year.erf,
        "erf_ceiling": year.erf_ceiling,
        "ref": year.ref,
        "tco2e": {
            "location": year.location_tonnes,
            "location_basis": year.location.basis,
            "market": year.market.tonnes,
            "market_rest_basis": year.market.basis,
        },
        "contracts": [
            {
                "name": claim.contract.name,
                "technology": claim.contract.technology,
                "instrument": claim.contract.instrument,
                "offered_mwh": claim.offered_mwh,
                "used_mwh": claim.used_mwh,
                "renewable_mwh": claim.renewable_mwh,
                "hourly_matched": claim.contract.hourly,
            }
            for claim in year.claims
        ],
        "carbon_free": {
            "yearly_sums": year.matching.yearly_share,
            "step_by_step": year.matching.share,
            "without_profile": list(year.matching.without_profile),
        }
        if year.matching
        else None,
        "uncontracted_mwh": year.market.rest_mwh,
        "phases": [
            {
                "phase": phase.phase,
                "hours": phase.hours,
                "edc_mwh": phase.edc_mwh,
                "eit_mwh": phase.eit_mwh,
                "captured_mwh": phase.captured_mwh,
                "tco2e_location": phase.location_tonnes,
                "tco2e_market": phase.market_tonnes,
            }
            for phase in year.phases
        ],
        "heat": [
            {
                "month": month.month,
                "captured_mwh": month.captured_mwh,
                "rejected_mwh": month.rejected_mwh,
                "deliveries": [
                    {
                        "buyer": delivery.buyer,
                        "committed_mwh": delivery.committed_mwh,
                        "delivered_mwh": delivery.delivered_mwh,
                    }
                    for delivery in month.deliveries
                ],
            }
            for month in year.months
        ],
        "notes": list(year.notes),
    }


_LINES: tuple[tuple[str, Callable[[Year], str]], ...] = (
    ("hours in service", lambda year: f"{year.hours:,.0f}"),
    ("total energy, EDC (TWh)", lambda year: f"{year.edc_mwh / 1e6:.3f}"),
    ("IT energy, EIT (TWh)", lambda year: f"{year.eit_mwh / 1e6:.3f}"),
    ("PUE", lambda year: f"{year.pue:.3f}"),
    ("WUE (L/kWh)", lambda year: "unknown" if year.wue is None else f"{year.wue:.3f}"),
    ("ERF (ceiling)", lambda year: f"{year.erf:.3f} ({year.erf_ceiling:.2f})"),
    ("REF", lambda year: f"{year.ref:.3f}"),
    ("location-based (tCO2e)", lambda year: f"{year.location_tonnes:,.0f}"),
    ("market-based (tCO2e)", lambda year: f"{year.market.tonnes:,.0f}"),
    ("heat captured (GWh)", lambda year: f"{year.captured_mwh / 1e3:,.0f}"),
    ("heat promised (GWh)", lambda year: f"{_promised(year) / 1e3:,.0f}"),
    ("heat delivered (GWh)", lambda year: f"{year.reused_mwh / 1e3:,.0f}"),
)


def _promised(year: Year) -> float:
    return sum(delivery.committed_mwh for month in year.months for delivery in month.deliveries)


def format_text(sheet: Sheet, *, months: bool = False) -> str:
    """Text for a terminal.

    Args:
        sheet: what to say.
        months: whether to show heat month by month.
    """
    last = sheet.site.steps[-1]
    out = [
        f"{sheet.site.name}: energy, heat and carbon; {FIDELITY}",
        (
            f"full power: {last.facility_mw:,.0f} MW, IT {last.it_mw:,.1f} MW; heat captured"
            f" {last.capture_mw:,.0f} MW, other {last.it_mw - last.capture_mw:,.0f} MW;"
            f" load {sheet.site.load:.0%}"
        ),
        "",
    ]
    header = ["", *(str(year.year) for year in sheet.years)]
    out += _table(header, [[name, *(shown(year) for year in sheet.years)] for name, shown in _LINES])
    out += ["", *_table(
        ["by phase", "hours", "GWh", "location tCO2e", "market tCO2e"],
        [[f"{year.year}, phase {phase.phase}", f"{phase.hours:,.0f}", f"{phase.edc_mwh / 1e3:,.1f}",
          f"{phase.location_tonnes:,.0f}", f"{phase.market_tonnes:,.0f}"]
         for year in sheet.years for phase in year.phases],
    )]  # fmt: skip
    if months:
        out += ["", *_table(
            ["heat by month (GWh)", "captured", "promised", "delivered", "rejected"],
            [[f"{year.year}-{month.month:02}", *(f"{value / 1e3:,.1f}" for value in (
                month.captured_mwh, sum(d.committed_mwh for d in month.deliveries), month.delivered_mwh,
                month.rejected_mwh))] for year in sheet.years for month in year.months],
        )]  # fmt: skip
    out += ["", *_grouped(sheet.years)]
    if sheet.moment is not None:
        out += ["", f"grid guard at {sheet.moment}:", *(f"  {gate}" for gate in sheet.gates)]
    if sheet.findings:
        out += ["", f"{len(sheet.findings)} oddities in the files:"]
        out += [f"  {finding}" for finding in sheet.findings[:_SHOWN_FINDINGS]]
        rest = len(sheet.findings) - _SHOWN_FINDINGS
        if rest > 0:
            out.append(f"  and {rest} more (--json shows all)")
    return "\n".join(out)


def _grouped(years: tuple[Year, ...]) -> list[str]:
    """Return the caveats of all years; equal ones once, with their years."""
    remarks: dict[str, list[int]] = {}
    for year in years:
        said = [f"location-based: {year.location.basis}"]
        if year.market.rest_mwh > 0.5:
            said.append(
                f"{year.market.rest_mwh / 1e3:,.0f} GWh without a contract at"
                f" {year.market.rest_gco2_per_kwh:.3g} g/kWh ({year.market.basis})"
            )
        for remark in (*said, *year.notes):
            remarks.setdefault(remark, []).append(year.year)
    return [f"{', '.join(map(str, found))}: {remark}" for remark, found in remarks.items()]


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in (header, *rows)) for at in range(len(header))]
    lines = []
    for first, *others in (header, *rows):
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return lines
