"""A year of the reference site, and what holds for any site: no energy, heat or tonne appears or vanishes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.energy import eco2mix
from infra.energy.inputs import Contract, Factor, HeatSale, Instrument, PowerStep, Technology
from infra.energy.year import compute
from infra.errors import UserError
from tests.unit.energy.builders import legal_year, open_data, reference

pytestmark = pytest.mark.unit

ALWAYS = {"start": date(2000, 1, 1), "end": date(2099, 12, 31)}


def contract(mwh: float, technology: Technology = Technology.NUCLEAR, **more: object) -> Contract:
    instrument = more.pop("instrument", Instrument.PPA)
    return Contract(f"{technology}-{mwh:g}", instrument, technology, mwh, **(ALWAYS | more))


def test_golden_year_at_90_percent_load() -> None:
    year = compute(reference(), 2027)
    assert year.edc_mwh == pytest.approx(7.884e6)  # 7.88 TWh
    assert round(year.edc_mwh / 1e6, 2) == 7.88
    assert round(year.location_tonnes / 1000) == 171
    assert year.pue == pytest.approx(1.10)
    assert round(year.erf_ceiling, 2) == 0.72
    assert year.captured_mwh / year.hours == pytest.approx(0.9 * 718.2, rel=1e-3)
    assert year.other_heat_mwh / year.hours == pytest.approx(0.9 * 190.9, rel=1e-3)
    assert (year.wue, year.ref, year.erf) == (None, 0, 0)
    assert year.market.tonnes == pytest.approx(year.location_tonnes)


def test_100_mw_of_heat_all_year_is_a_tenth_at_full_load_and_a_ninth_at_90_percent() -> None:
    sales = (HeatSale("town", 100, 65),)
    assert compute(reference(load=1.0, sales=sales), 2027).erf == pytest.approx(0.10)
    # The buyer takes 100 MW whatever the load: the same heat over less energy.
    assert compute(reference(sales=sales), 2027).erf == pytest.approx(0.10 / 0.9)


def test_a_leap_year_is_a_day_longer() -> None:
    assert compute(reference(), 2028).edc_mwh == pytest.approx(900 * 8784)


def test_months_have_their_real_hours() -> None:
    year = compute(reference(sales=(HeatSale("town", 1, 60),)), 2026)
    hours = {month.month: month.deliveries[0].committed_mwh for month in year.months}
    assert (hours[3], hours[10], hours[1], hours[2]) == pytest.approx((743, 745, 744, 672))


def test_phases_share_the_year_from_their_days_on() -> None:
    steps = (
        PowerStep("2026", date(2026, 7, 1), 100, 90, 70),
        PowerStep("2027", date(2027, 3, 1), 400, 360, 280),
        PowerStep("2028", date(2028, 1, 1), 1000, 909, 718),
    )
    site = reference(steps=steps, load=1.0)
    first, second = compute(site, 2026), compute(site, 2027)
    assert [phase.phase for phase in first.phases] == ["2026"]
    assert first.hours == pytest.approx(184 * 24 + 1)  # October's hour comes back, March's was before
    assert first.edc_mwh == pytest.approx(100 * first.hours)
    assert [(phase.phase, phase.hours) for phase in second.phases] == [("2026", 59 * 24), ("2027", 306 * 24)]
    assert second.edc_mwh == pytest.approx(100 * 59 * 24 + 400 * 306 * 24)
    assert sum(phase.market_tonnes for phase in second.phases) == pytest.approx(second.market.tonnes)
    with pytest.raises(UserError, match="no power in service in 2025"):
        compute(site, 2025)


def test_both_claims_are_shown_and_nuclear_earns_no_ref() -> None:
    contracts = (contract(6e6), contract(1.5e6, Technology.WIND), contract(5e6, Technology.SOLAR))
    year = compute(reference(contracts=contracts), 2027)
    assert year.market.tonnes == 0
    assert round(year.location_tonnes / 1000) == 171
    # Renewable energy is counted first: nuclear covers what is left.
    assert [round(claim.used_mwh) for claim in year.claims] == [1_384_000, 1_500_000, 5_000_000]
    assert year.ref == pytest.approx(6.5 / 7.884)
    assert any("contractual claim" in note for note in year.notes)
    assert any("yearly sums only" in note for note in year.notes)
    assert any("more than the year's use" in note for note in year.notes)


def test_energy_matched_hour_by_hour_counts_before_renewable_energy() -> None:
    contracts = (contract(5e6, Technology.WIND), contract(5e6, hourly=True))
    assert [claim.used_mwh for claim in compute(reference(contracts=contracts), 2027).claims] == [
        2_884_000,
        5e6,
    ]


def test_what_no_contract_covers_has_the_residual_mix() -> None:
    year = compute(reference(contracts=(contract(6e6),), residual=Factor(40, "declared")), 2027)
    assert year.market.tonnes == pytest.approx(1_884_000 * 40 / 1000)
    assert year.market.basis == "declared"
    without = compute(reference(contracts=(contract(6e6),)), 2027)
    assert without.market.tonnes == pytest.approx(1_884_000 * 21.7 / 1000)
    assert "stands in" in without.market.basis


def test_plain_supply_and_an_unstated_mix_do_not_count_in_ref() -> None:
    contracts = (
        contract(1e6, Technology.WIND, instrument=Instrument.SUPPLY),
        contract(2e6, Technology.MIX, instrument=Instrument.GUARANTEES, gco2_per_kwh=10.0),
    )
    year = compute(reference(contracts=contracts, declared_ref=0.114), 2027)
    assert year.renewable_mwh == year.ref == 0
    assert any("declared renewable share 0.114, but" in note for note in year.notes)
    assert any("unstated mix" in note for note in year.notes)
    assert year.market.carbon_free_mwh == pytest.approx(1e6)
    assert year.market.tonnes == pytest.approx((2e6 * 10 + 4.884e6 * 21.7) / 1000)
    assert any("renewable supply without" in note for note in year.notes)


def test_a_contract_counts_only_for_its_days() -> None:
    half = contract(1e6, start=date(2027, 7, 1), end=date(2027, 12, 31))
    (claim,) = compute(reference(contracts=(half,)), 2027).claims
    assert claim.used_mwh == pytest.approx(1e6 * (184 * 24 + 1) / 8760)


def test_heat_is_served_in_order_and_shortfall_is_said() -> None:
    sales = (HeatSale("town", 600, 65, months=(12, 1, 2)), HeatSale("greenhouses", 100, 45))
    year = compute(reference(sales=sales), 2027)
    january, july = year.months[0], year.months[6]
    assert [d.delivered_mwh for d in january.deliveries] == pytest.approx([600 * 744, 46.3665 * 744])
    assert january.rejected_mwh == pytest.approx(0)
    assert [d.delivered_mwh for d in july.deliveries] == pytest.approx([0, 100 * 744])
    assert any("cannot be delivered" in note for note in year.notes)


def test_full_load_hours_are_spread_over_the_months_of_delivery() -> None:
    year = compute(reference(sales=(HeatSale("town", 100, 65, hours=1000, months=(1, 12)),)), 2027)
    committed = [month.deliveries[0].committed_mwh for month in year.months]
    assert committed[0] == committed[11] == pytest.approx(50_000)
    assert sum(committed) == pytest.approx(100_000)


def test_a_matched_year_counts_each_step_at_its_own_rate() -> None:
    mix = eco2mix.parse(legal_year(2027), "2027.xls")
    year = compute(reference(), 2027, mix)
    assert year.location_tonnes == pytest.approx(7.884e6 * 20 / 1000)
    assert year.location.matched_hours == year.location.total_hours == 8760


def test_hours_without_data_count_at_the_declared_factor() -> None:
    mix = eco2mix.parse(open_data([("2027-06-01T00:00:00Z", 100), ("2027-06-01T00:15:00Z", 200)]), "x.csv")
    year = compute(reference(), 2027, mix)
    assert year.location.matched_hours == 0.5
    assert year.location_tonnes == pytest.approx(900 * (0.25 * 100 + 0.25 * 200 + 8759.5 * 21.7) / 1000)
    assert "0.5 of 8,760.0 h" in year.location.basis


def test_data_of_another_year_serves_by_its_mean_and_says_so() -> None:
    mix = eco2mix.parse(legal_year(2025), "2025.xls")
    year = compute(reference(), 2027, mix)
    assert year.location_tonnes == pytest.approx(7.884e6 * 20 / 1000)
    assert year.location.matched_hours == 0
    assert "for a year that it has no hour of" in year.location.basis


def test_a_few_hours_of_another_year_do_not_stand_for_a_year() -> None:
    mix = eco2mix.parse(open_data([("2025-06-01T00:00:00Z", 300)]), "x.csv")
    year = compute(reference(), 2027, mix)
    assert year.location_tonnes == pytest.approx(7.884e6 * 21.7 / 1000)
    assert "covers no hour of it" in year.location.basis


POWERS = st.tuples(st.floats(0.1, 2000), st.floats(0.3, 1), st.floats(0, 1))
SALES = st.lists(
    st.builds(
        HeatSale,
        buyer=st.text("abc", min_size=1, max_size=3),
        mw=st.floats(0, 900),
        celsius=st.just(60.0),
        hours=st.floats(0, 8784),
        months=st.lists(st.integers(1, 12), max_size=12).map(tuple),
    ),
    max_size=4,
)
CONTRACTS = st.lists(
    st.builds(
        Contract,
        name=st.text("abc", min_size=1, max_size=3),
        instrument=st.sampled_from(Instrument),
        technology=st.sampled_from(Technology),
        mwh_per_year=st.floats(0, 2e7),
        start=st.dates(date(2025, 1, 1), date(2028, 12, 31)),
        end=st.dates(date(2025, 1, 1), date(2029, 12, 31)),
        gco2_per_kwh=st.sampled_from([0.0, 12.0, 400.0]),
    ),
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(
    powers=st.lists(POWERS, min_size=1, max_size=4),
    days=st.lists(st.dates(date(2026, 1, 1), date(2028, 6, 30)), min_size=4, max_size=4, unique=True),
    load=st.floats(0.05, 1),
    sales=SALES,
    contracts=CONTRACTS,
    year=st.sampled_from([2026, 2027, 2028]),
    grams=st.lists(st.one_of(st.none(), st.floats(0, 500)), max_size=40),
)
def test_sums_conserve_energy_heat_and_mass(*, powers, days, load, sales, contracts, year, grams) -> None:
    steps = tuple(
        PowerStep(f"p{number}", day, facility, facility * it, facility * it * captured)
        for number, (day, (facility, it, captured)) in enumerate(zip(sorted(days), powers, strict=False))
    )
    site = reference(steps=steps, load=load, sales=tuple(sales), contracts=tuple(contracts), declared_ref=0.4)
    begin = datetime(year, 12, 20, tzinfo=UTC)
    rows = [((begin + timedelta(minutes=30 * at)).isoformat(), value) for at, value in enumerate(grams)]
    mix = eco2mix.parse(open_data(rows, "Données définitives"), "x.csv")
    try:
        result = compute(site, year, mix)
    except UserError:
        assert steps[0].start >= date(year, 12, 31) or steps[0].start.year > year
        return
    # Stretches follow one another without a gap and end with the year.
    for one, following in zip(result.parts, result.parts[1:], strict=False):
        assert one.end == following.start
    near = {"rel": 1e-9, "abs": 1e-6}
    assert sum(phase.edc_mwh for phase in result.phases) == pytest.approx(result.edc_mwh, **near)
    assert sum(phase.captured_mwh for phase in result.phases) == pytest.approx(result.captured_mwh, **near)
    assert sum(phase.location_tonnes for phase in result.phases) == pytest.approx(
        result.location_tonnes, **near
    )
    assert sum(phase.market_tonnes for phase in result.phases) == pytest.approx(result.market.tonnes, **near)
    assert sum(month.captured_mwh for month in result.months) == pytest.approx(result.captured_mwh, **near)
    assert result.captured_mwh + result.other_heat_mwh == pytest.approx(result.eit_mwh, **near)
    for month in result.months:
        assert month.delivered_mwh + month.rejected_mwh == pytest.approx(month.captured_mwh, **near)
        assert month.rejected_mwh >= -1e-6
        assert all(0 <= d.delivered_mwh <= d.committed_mwh + 1e-6 for d in month.deliveries)
    used = sum(claim.used_mwh for claim in result.claims)
    assert used + result.market.rest_mwh == pytest.approx(result.edc_mwh, **near)
    assert all(claim.renewable_mwh <= claim.used_mwh <= claim.offered_mwh for claim in result.claims)
    assert 0 <= result.erf <= result.erf_ceiling + 1e-9 <= 1 + 1e-9
    assert 0 <= result.ref <= 1
    assert result.pue >= 1 - 1e-9


def shaped_year(year: int, shape) -> eco2mix.Eco2mix:
    """Half-hourly data of a year whose solar and nuclear generation is shape(hour of day)."""
    begin = datetime(year - 1, 12, 31, 23, tzinfo=UTC)
    lines = ["date_heure;nucleaire;solaire;taux_co2"]
    for step in range(365 * 48):
        when = begin + timedelta(minutes=30 * step)
        lines.append(f"{when.isoformat()};40000;{shape((when.hour + 1) % 24)};20")
    return eco2mix.parse("\n".join(lines).encode(), "shaped.csv")


def test_step_by_step_the_sun_covers_only_the_day() -> None:
    mix = shaped_year(2027, lambda hour: 10000 if 6 <= hour < 18 else 0)
    solar = contract(7.884e6, Technology.SOLAR)  # as much as the site uses in the year
    year = compute(reference(contracts=(solar,)), 2027, mix)
    assert year.market.tonnes == pytest.approx(0)
    assert year.matching is not None
    assert year.matching.yearly_share == pytest.approx(1)
    assert year.matching.share == pytest.approx(0.5)
    assert any(
        "100.0% of the use in yearly sums, but 50.0% of it step by step" in note for note in year.notes
    )


def test_a_flat_profile_covers_the_same_either_way() -> None:
    mix = shaped_year(2025, lambda hour: hour)  # another year's shape serves a coming one
    year = compute(reference(contracts=(contract(3.942e6), contract(1e6, Technology.MIX))), 2027, mix)
    assert year.matching is not None
    assert year.matching.share == pytest.approx(year.matching.yearly_share) == pytest.approx(0.5)
    assert year.matching.without_profile == ("mix-1e+06",)


def test_matching_needs_a_whole_year_and_carbon_free_contracts() -> None:
    few = eco2mix.parse(open_data([("2027-06-01T00:00:00Z", 100)]), "x.csv")
    assert compute(reference(contracts=(contract(1e6),)), 2027, few).matching is None
    assert compute(reference(contracts=(contract(1e6),)), 2027).matching is None
    whole = shaped_year(2027, lambda hour: hour)
    assert compute(reference(contracts=(contract(1e6, gco2_per_kwh=5.0),)), 2027, whole).matching is None
    # A contract that has not begun covers nothing.
    late = contract(7.884e6, start=date(2027, 7, 1))
    found = compute(reference(contracts=(late,)), 2027, whole).matching
    assert found is not None
    assert found.share == pytest.approx((184 * 24 + 1) / 8760)
