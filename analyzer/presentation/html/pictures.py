"""The four pictures: small Vega-Lite specifications over what SQL counted, drawn as SVG by vl-convert.

Only aggregates are drawn: at most PLACES_DRAWN rows, and periods that grow with the window. Each picture has a
sentence and a table that say the same. A picture is embedded as an image, in which a browser runs nothing.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from analyzer.coverage import Level
from analyzer.dossier import Dossier
from analyzer.presentation.callers_view import shortened
from analyzer.presentation.output import Table
from analyzer.presentation.safe_text import Cell
from analyzer.report import PeriodRow
from analyzer.usage import Endpoint

PLACES_DRAWN = 20
"""Rows of a heat map: those with the most calls; the rest is one row."""
PERIODS_DRAWN = 60
"""The last ones: only a window of more than sixty years has more, which a wrong event time can make."""
CALLERS_DRAWN = 15
_REST = "all others"
_KIND_COLOURS = {Endpoint.GLOBAL: "#d95f02", Endpoint.REGIONAL: "#1b78b3", Endpoint.UNKNOWN: "#8a8a8a"}
_INK = {"light": ("#222222", "#cccccc"), "dark": ("#e6e6e6", "#555555")}
"""Text and lines of each theme."""
_SCHEMES = {"light": "blues", "dark": "darkblue"}

Spec = dict[str, Any]

_COUNT_AXIS: Spec = {
    "field": "calls",
    "type": "quantitative",
    "title": "calls",
    "axis": {"format": ",d", "tickMinStep": 1},
}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture for both themes, as data URIs; `alt` and `table` say the same in words and figures."""

    title: str
    alt: str
    light: str
    dark: str
    width: int
    height: int
    table: Table


def draw_pictures(dossier: Dossier) -> list[Picture]:
    """All pictures that there is something to draw for."""
    found = [_calls(dossier), _mix(dossier), _coverage(dossier), _callers(dossier)]
    return [picture for picture in found if picture]


def _calls(dossier: Dossier) -> Picture | None:
    recent, left_out = _recent(dossier)
    counted = _sum((_place(row), row.period.date().isoformat(), row.calls) for row in recent)
    if not counted:
        return None
    totals = _totals(counted)
    names = _largest(totals)
    counted = _sum((place if place in names else _REST, period, n) for (place, period), n in counted.items())
    rows, columns = _ordered(names, totals), _periods(counted)
    (top, most), *_ = totals.most_common(1)
    alt = (
        f"Heat map of {sum(totals.values()):,} calls by endpoint and {dossier.grain.value}; "
        f"{top} has the most, {most:,}.{left_out}"
    )
    return _heat_map(f"Calls per {dossier.grain.value} by region", alt, "calls", counted, rows, columns, 0)


def _mix(dossier: Dossier) -> Picture | None:
    recent, left_out = _recent(dossier)
    counted = _sum((row.endpoint.value, row.period.date().isoformat(), row.calls) for row in recent)
    if not counted:
        return None
    totals = _totals(counted)
    kinds = [kind.value for kind in Endpoint]
    columns = _periods(counted)
    values = [{"endpoint": kind, "period": period, "calls": n} for (kind, period), n in counted.items()]
    colours = {"domain": kinds, "range": [_KIND_COLOURS[kind] for kind in Endpoint]}
    spec: Spec = {
        "data": {"values": values},
        "width": {"step": _step(len(columns))},
        "height": 160,
        "mark": {"type": "bar", "aria": False},
        "encoding": {
            "x": _axis("period", columns),
            "y": _COUNT_AXIS,
            "color": {
                "field": "endpoint",
                "type": "nominal",
                "scale": colours,
                "title": None,
                "legend": {"orient": "top"},
            },
        },
    }
    shares = ", ".join(f"{totals[kind]:,} {kind}" for kind in kinds)
    table = _grid("endpoint", counted, kinds, columns, 0)
    grain = dossier.grain.value
    return _drawn(
        f"Endpoints used per {grain}",
        f"Bars of calls per {grain} by kind of endpoint: {shares}.{left_out}",
        spec,
        table,
    )


def _coverage(dossier: Dossier) -> Picture | None:
    window = dossier.window
    if window is None or not window.days or not dossier.coverage.rows:
        return None
    starts = _starts(dossier)
    days, observed = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    none = Level.NONE.letter
    for row in dossier.coverage.rows:
        for start, begin, end in starts:
            days[row.region, start] += end - begin
            observed[row.region, start] += end - begin - row.letters.count(none, begin, end)
    shares = {place: 100 * observed[place] // days[place] for place in days}
    regions = Counter[str]()
    for (region, _), count in observed.items():
        regions[region] += count
    rows = sorted(regions, key=lambda code: (-regions[code], code))[:PLACES_DRAWN]
    hidden = len(regions) - len(rows)
    alt = (
        f"Heat map of the share of days with logs, by region and {dossier.grain.value}: "
        f"{sum(observed.values()):,} of {sum(days.values()):,} region-days are observed"
        + (f"; {hidden} regions with fewer observed days are left out." if hidden else ".")
    )
    columns = [start for start, _, _ in starts]
    return _heat_map(
        f"Coverage by {dossier.grain.value} and region", alt, "% of days", shares, sorted(rows), columns, None
    )


def _callers(dossier: Dossier) -> Picture | None:
    calls: Counter[tuple[str, Endpoint]] = Counter()
    for caller in dossier.callers.callers:
        calls[caller.identity.principal, caller.identity.endpoint] += caller.calls
    if not calls:
        return None
    top = sorted(calls.items(), key=lambda item: (-item[1], item[0]))[:CALLERS_DRAWN]
    values = [
        {"rank": rank, "caller": f"{rank}. {shortened(principal, 44)}", "endpoint": kind.value, "calls": n}
        for rank, ((principal, kind), n) in enumerate(top, start=1)
    ]
    colours = {"domain": [kind.value for kind in Endpoint], "range": [_KIND_COLOURS[kind] for kind in Endpoint]}
    spec: Spec = {
        "data": {"values": values},
        "width": 280,
        "height": {"step": 18},
        "mark": {"type": "bar", "aria": False},
        "encoding": {
            "y": {
                "field": "caller",
                "type": "nominal",
                "title": None,
                "sort": {"field": "rank"},
                "axis": {"labelLimit": 300},
            },
            "x": _COUNT_AXIS,
            "color": {
                "field": "endpoint",
                "type": "nominal",
                "scale": colours,
                "title": None,
                "legend": {"orient": "top"},
            },
        },
    }
    (first, kind), most = top[0]
    alt = (
        f"Bars of the {len(top)} callers with the most calls; "
        f"the first is {shortened(first, 80)} ({kind.value}), {most:,}."
    )
    rows = [(shortened(principal, 120), kind.value, n) for (principal, kind), n in top]
    return _drawn("Top callers", alt, spec, Table(("caller", "endpoint", "calls"), rows))


def _place(row: PeriodRow) -> str:
    return row.region or row.endpoint.value


def _sum(found: Iterable[tuple[str, str, int]]) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for name, period, count in found:
        counted[shortened(name, 40), period] += count
    return counted


def _totals(counted: Mapping[tuple[str, str], int]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for (name, _), count in counted.items():
        totals[name] += count
    return totals


def _largest(totals: Counter[str]) -> set[str]:
    if len(totals) <= PLACES_DRAWN:
        return set(totals)
    return {name for name, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))[: PLACES_DRAWN - 1]}


def _ordered(names: set[str], totals: Counter[str]) -> list[str]:
    kinds = [name for name in (Endpoint.GLOBAL.value, Endpoint.UNKNOWN.value) if name in names]
    rest = [_REST] if len(totals) > len(names) else []
    return [*kinds, *sorted(names - set(kinds)), *rest]


def _periods(counted: Iterable[tuple[str, str]]) -> list[str]:
    return sorted({period for _, period in counted})


def _starts(dossier: Dossier) -> list[tuple[str, int, int]]:
    """The last periods of the window: first day of each, and where its days begin and end within the window."""
    window = dossier.window
    starts: list[tuple[str, int, int]] = []
    end = window.days if window else 0
    while window and end and len(starts) < PERIODS_DRAWN:
        first = dossier.grain.first_day(window.since + timedelta(days=end - 1))
        begin = max(0, (first - window.since).days)
        starts.append((first.isoformat(), begin, end))
        end = begin
    return starts[::-1]


def _recent(dossier: Dossier) -> tuple[list[PeriodRow], str]:
    """The rows of the periods that are drawn, and what to say of those that are not."""
    starts = _starts(dossier)
    first = starts[0][0] if starts else ""
    rows = [row for row in dossier.periods if row.period.date().isoformat() >= first]
    left_out = sum(row.calls for row in dossier.periods) - sum(row.calls for row in rows)
    return rows, f" {left_out:,} calls before {first} are left out." if left_out else ""


def _step(columns: int) -> int:
    return max(3, min(24, 640 // max(1, columns)))


def _axis(field: str, columns: Sequence[str]) -> Spec:
    return {"field": field, "type": "ordinal", "title": None, "sort": list(columns),
            "axis": {"labelOverlap": True, "labelAngle": -45}}  # fmt: skip


def _heat_map(
    title: str,
    alt: str,
    unit: str,
    counted: Mapping[tuple[str, str], int],
    rows: Sequence[str],
    columns: Sequence[str],
    missing: int | None,
) -> Picture:
    wanted = set(rows)
    values = [
        {"place": place, "period": period, "n": n} for (place, period), n in counted.items() if place in wanted
    ]
    scale: Spec = {"scheme": "blues", "domainMin": 0} | ({"domainMax": 100} if missing is None else {})
    spec: Spec = {
        "data": {"values": values},
        "width": {"step": _step(len(columns))},
        "height": {"step": 18},
        "mark": {"type": "rect", "aria": False},
        "encoding": {
            "x": _axis("period", columns),
            "y": {"field": "place", "type": "nominal", "title": None, "sort": list(rows)},
            "color": {"field": "n", "type": "quantitative", "title": unit, "scale": scale},
        },
    }
    return _drawn(
        title, alt, spec, _grid("endpoint" if missing == 0 else "region", counted, rows, columns, missing)
    )


def _grid(
    head: str,
    counted: Mapping[tuple[str, str], int],
    rows: Sequence[str],
    columns: Sequence[str],
    missing: int | None,
) -> Table:
    lines: list[tuple[Cell, ...]] = [
        (name, *(counted.get((name, period), missing) for period in columns)) for name in rows
    ]
    return Table((head, *columns), lines)


def _drawn(title: str, alt: str, spec: Spec, table: Table) -> Picture:
    light, dark = (_svg(spec, theme) for theme in ("light", "dark"))
    return Picture(title, alt, _uri(light), _uri(dark), _side(light, "width"), _side(light, "height"), table)


def _side(svg: str, name: str) -> int:
    """Width or height in pixels, as the root element says."""
    return int(float(svg.partition(f' {name}="')[2].partition('"')[0]))


def _svg(spec: Spec, theme: str) -> str:
    import vl_convert

    ink, line = _INK[theme]
    config: Spec = {
        "aria": False,
        # The reader's font may be wider than that by which the library measures the labels.
        "padding": {"left": 45, "right": 25, "top": 5, "bottom": 10},
        "background": "transparent",
        "font": "sans-serif",
        "view": {"stroke": line},
        "axis": {"labelColor": ink, "titleColor": ink, "gridColor": line, "domainColor": line, "tickColor": line},
        "legend": {"labelColor": ink, "titleColor": ink},
    }
    color = spec["encoding"]["color"]
    if "scheme" in color["scale"]:
        color = color | {"scale": color["scale"] | {"scheme": _SCHEMES[theme]}}
    themed = spec | {"config": config, "encoding": spec["encoding"] | {"color": color}}
    return str(vl_convert.vegalite_to_svg(themed, allowed_base_urls=[]))


def _uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()
