"""B4, the periodic bulletin: how far each league and county has come with paying subsidies. （第三十三条）

Rows by league with its counties beneath, ranked by the share paid; a sheet by project; the way each figure is counted;
a digest. 满洲里 and 二连浩特, whose finance reports to the region directly, stand beside the leagues.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import reduce
from itertools import groupby
from operator import add
from typing import Any

from sqlmodel import Session

from policies.deadlines import BANK_PAYMENT
from reports.bulletins.family import Family, Figures, Heading, Span
from reports.bulletins.measures import MEASURES, REASONS, Measures, Unit, ask_units, span_before, year_before
from reports.bulletins.periodic_words import COUNTED, lead
from reports.workbook_style import Book, Column, Table, TableRow, rate

MAIN, BY_PROJECT, CHARTS, HOW, DIGEST = "通报", "项目明细", "图表", "口径", "摘要"

MEASURE_COLUMNS: tuple[Column, ...] = (
    Column("due", "应发金额", "money", width=15),
    Column("paid", "已发金额", "money", width=15),
    Column("paid_rate", "发放率", "rate", formula="{paid}/{due}", base="{due}"),
    Column("due_count", "应发笔数", "count"),
    Column("paid_count", "成功笔数", "count"),
    Column("failed_count", "失败笔数", "count"),
    Column("failed_rate", "失败率", "rate", formula="{failed_count}/({paid_count}+{failed_count})",
           base="{paid_count}+{failed_count}"),
    Column("timely_rate", "及时率", "rate", formula="{timely_count}/{paid_count}", base="{paid_count}"),
    Column("card_rate", "社保卡发放占比", "rate", formula="{card_count}/{paid_count}", base="{paid_count}", width=10),
    *(Column(f"unpaid_{name}", title, "count", "未发原因（笔）", 7) for name, title in REASONS.items()),
    Column("red", "红灯", "count", "预警数（条）", 6),
    Column("yellow", "黄灯", "count", "预警数（条）", 6),
    Column("blue", "蓝灯", "count", "预警数（条）", 6),
    Column("yearly", "同比", "rate", formula="{paid}/{year_ago}-1", base="{year_ago}"),
    Column("monthly", "环比", "rate", formula="{paid}/{previous}-1", base="{previous}"),
)  # fmt: skip
AUXILIARY: tuple[Column, ...] = (
    Column("timely_count", "及时笔数", "count", "计算用"),
    Column("card_count", "社保卡笔数", "count", "计算用"),
    Column("year_ago", "上年同期已发", "money", "计算用", 14),
    Column("previous", "上期已发", "money", "计算用", 14),
)
"""What the rates are made of; to the right of the printed area."""

MAIN_COLUMNS: tuple[Column, ...] = (
    Column("rank", "排名", "rank", width=5),
    Column("place", "盟市（旗县）", "text", width=20),
    Column("projects", "项目数", "count", width=7),
    *MEASURE_COLUMNS,
    *AUXILIARY,
)
PROJECT_COLUMNS: tuple[Column, ...] = (
    Column("league", "盟市", "text", width=13),
    Column("place", "旗县", "text", width=14),
    Column("code", "项目编码", "text", width=10),
    Column("project", "项目名称", "text", width=26),
    Column("domain", "领域", "text", width=9),
    *MEASURE_COLUMNS,
    *AUXILIARY,
)


def ask(session: Session, span: Span) -> Figures:
    """Ask the books for the figures of these days, in the scope of whoever asks. （第三十三条第一项）"""
    units = ask_units(session, span)
    total = _sum(units)
    year, last = year_before(span), span_before(span)
    data = {
        "span": [span.start.isoformat(), span.end.isoformat()],
        "year_ago": [year.start.isoformat(), year.end.isoformat()],
        "previous": [last.start.isoformat(), last.end.isoformat()],
        "units": [asdict(unit) for unit in units],
        "total": asdict(total),
    }
    return Figures(data, total.paid_count, total.paid_fen)


def write(figures: Figures, heading: Heading) -> bytes:
    """Return the bulletin as a workbook."""
    units = [Unit(**{**row, "measures": Measures(**row["measures"])}) for row in figures.data["units"]]
    book = Book(heading.title)
    rows = main_rows(units)
    main = _write_main(book, units, rows, heading)
    _write_projects(book, units, heading)
    _write_charts(book, main, rows)
    _write_how(book, figures)
    _write_digest(book, figures, heading)
    return book.close()


FAMILY = Family("periodic", "发放情况通报", "第三十三条", ask, write)


# --- rows ---------------------------------------------------------------------------------------------------------


def _sum(units: Iterable[Unit]) -> Measures:
    return reduce(add, (unit.measures for unit in units), Measures())


def _order(units: Sequence[Unit]) -> tuple[float, int, str]:
    measures = _sum(units)
    return (-(rate(measures.paid_fen, measures.due_fen) or 0), -measures.paid_fen, units[0].county_code)


def _grouped(units: Iterable[Unit], key: str) -> list[list[Unit]]:
    ordered = sorted(units, key=lambda unit: getattr(unit, key))
    groups = [list(group) for _, group in groupby(ordered, key=lambda unit: getattr(unit, key))]
    return sorted(groups, key=_order)


def values_of(units: Sequence[Unit]) -> dict[str, Any]:
    """Return what the measure columns show of some units: yuan, counts, rates."""
    sums = _sum(units)
    values: dict[str, Any] = {name: getattr(sums, name) for name in MEASURES if not name.endswith("_fen")}
    attempts = sums.paid_count + sums.failed_count
    return values | {
        "due": sums.due_fen / 100,
        "paid": sums.paid_fen / 100,
        "year_ago": sums.year_ago_fen / 100,
        "previous": sums.previous_fen / 100,
        "projects": len({unit.project_code for unit in units}),
        "paid_rate": rate(sums.paid_fen, sums.due_fen),
        "failed_rate": rate(sums.failed_count, attempts),
        "timely_rate": rate(sums.timely_count, sums.paid_count),
        "card_rate": rate(sums.card_count, sums.paid_count),
        "yearly": rate(sums.paid_fen - sums.year_ago_fen, sums.year_ago_fen),
        "monthly": rate(sums.paid_fen - sums.previous_fen, sums.previous_fen),
    }


def main_rows(units: Sequence[Unit]) -> list[TableRow]:
    """Return the rows of the main table: leagues ranked, their counties ranked beneath, the total last."""
    rows: list[TableRow] = []
    tops: list[int] = []
    for place, league in enumerate(_grouped(units, "group_code"), 1):
        tops.append(len(rows))
        counties = [] if league[0].direct else _grouped(league, "county_code")
        beneath = tuple(range(len(rows) + 1, len(rows) + 1 + len(counties)))
        rows.append(TableRow({"rank": place, "place": league[0].group, **values_of(league)}, 1, beneath))
        rows += [
            TableRow({"rank": number, "place": f"　{county[0].county}", **values_of(county)}, outline=1)
            for number, county in enumerate(counties, 1)
        ]
    rows.append(TableRow({"rank": "", "place": _total_name(units), **values_of(units)}, 2, tuple(tops)))
    return rows


def _total_name(units: Sequence[Unit]) -> str:
    direct = sorted({unit.county for unit in units if unit.direct})
    return f"合计（含财政直管的{'、'.join(direct)}）" if direct else "合计"


# --- sheets -------------------------------------------------------------------------------------------------------


def _write_main(book: Book, units: Sequence[Unit], rows: list[TableRow], heading: Heading) -> Table:
    sheet = book.sheet(MAIN, repeat=(3, 4))
    printed = len(MAIN_COLUMNS) - len(AUXILIARY)
    sheet.merge_range(0, 0, 0, printed - 1, heading.title, book.words(18, bold=True, center=True))
    sheet.set_row(0, 34)
    sheet.merge_range(1, 0, 1, printed - 1, lead(units, values_of(units), heading), book.words(12, wrap=True))
    sheet.set_row(1, 92)
    sheet.merge_range(2, 0, 2, 6, f"编制单位：{heading.issuer}　　编号：{heading.number}", book.words(10))
    sheet.merge_range(2, 7, 2, printed - 1, f"期间：{heading.span}　　单位：元、笔", book.words(10))
    table = Table(book, sheet, 3, MAIN_COLUMNS)
    table.write(rows)
    sheet.freeze_panes(table.first, 2)
    last = table.first + len(rows) - 1
    sheet.print_area(0, 0, last + 1, printed - 1)
    note = f"数据取自记账凭证，截至 {heading.prepared_at:%Y-%m-%d %H:%M}；各指标口径见“{HOW}”。"
    sheet.merge_range(last + 1, 0, last + 1, printed - 1, note, book.words(9))
    return table


def _write_projects(book: Book, units: Sequence[Unit], heading: Heading) -> None:
    sheet = book.sheet(BY_PROJECT, repeat=(2, 3))
    printed = len(PROJECT_COLUMNS) - len(AUXILIARY)
    title = f"{heading.place}补贴项目发放明细（{heading.span}）"
    sheet.merge_range(0, 0, 0, printed - 1, title, book.words(16, bold=True, center=True))
    sheet.merge_range(1, 0, 1, printed - 1, "单位：元、笔", book.words(10))
    rows: list[TableRow] = []
    tops: list[int] = []
    for league in _grouped(units, "group_code"):
        first = len(rows)
        rows += [_project_row(unit) for county in _grouped(league, "county_code") for unit in county]
        tops.append(len(rows))
        rows.append(
            TableRow(
                {"league": league[0].group, "place": "小计", **values_of(league)}, 1, tuple(range(first, len(rows)))
            )
        )
    rows.append(TableRow({"league": _total_name(units), **values_of(units)}, 2, tuple(tops)))
    table = Table(book, sheet, 2, PROJECT_COLUMNS)
    table.write(rows)
    sheet.freeze_panes(table.first, 4)
    sheet.print_area(0, 0, table.first + len(rows) - 1, printed - 1)


def _project_row(unit: Unit) -> TableRow:
    about = {
        "league": unit.group,
        "place": unit.county,
        "code": unit.project_code,
        "project": unit.project,
        "domain": unit.domain,
    }
    return TableRow(about | values_of([unit]))


def _write_charts(book: Book, main: Table, rows: list[TableRow]) -> None:
    """Write three native charts over a small block of cells that point at the main table."""
    sheet = book.sheet(CHARTS)
    leagues = [number for number, row in enumerate(rows) if row.level == 1]
    names = ("place", "due", "paid", "paid_rate")
    titles = ("盟市", "应发金额", "已发金额", "发放率")
    kinds = ("text", "money", "money", "rate")
    for place, (title, width) in enumerate(zip(titles, (22, 16, 16, 10), strict=True)):
        sheet.set_column(place, place, width)
        sheet.write_string(0, place, title, book.format(header=True))
    for line, number in enumerate(leagues, 1):
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            value = rows[number].values[name]
            formula = f"='{MAIN}'!{main.cell(number, name)}"
            sheet.write_formula(line, place, formula, book.format(kind), "—" if value is None else value)
    end = max(len(leagues), 1)
    total, reasons = len(rows) - 1, end + 3
    sheet.write_string(reasons - 1, 0, "未发原因", book.format(header=True))
    sheet.write_string(reasons - 1, 1, "笔数", book.format(header=True))
    for line, (name, title) in enumerate(REASONS.items()):
        sheet.write_string(reasons + line, 0, title, book.format())
        cell = main.cell(total, f"unpaid_{name}")
        value = rows[total].values[f"unpaid_{name}"]
        sheet.write_formula(reasons + line, 1, f"='{MAIN}'!{cell}", book.format("count"), value)
    amounts = _chart(book, "column", "各盟市应发与已发金额（元）", [(1, end, 1), (1, end, 2)])
    shares = _chart(book, "bar", "各盟市发放率", [(1, end, 3)])
    shares.set_x_axis({"num_format": "0%", "min": 0})
    shares.set_y_axis({"reverse": True})
    causes = _chart(book, "column", "未发原因（笔）", [(reasons, reasons + len(REASONS) - 1, 1)])
    for chart, at in ((amounts, "F1"), (shares, "F17"), (causes, "F33")):
        sheet.insert_chart(at, chart)


def _chart(book: Book, kind: str, title: str, series: list[tuple[int, int, int]]) -> Any:
    chart = book.book.add_chart({"type": kind})
    for first, last, column in series:
        chart.add_series(
            {
                "name": [CHARTS, first - 1, column],
                "categories": [CHARTS, first, 0, last, 0],
                "values": [CHARTS, first, column, last, column],
                "gap": 80,
            }
        )
    chart.set_title({"name": title, "name_font": {"size": 12}})
    chart.set_size({"width": 620, "height": 300})
    chart.set_legend({"position": "bottom"} if len(series) > 1 else {"none": True})
    return chart


def _write_how(book: Book, figures: Figures) -> None:
    sheet = book.sheet(HOW, repeat=(0, 0))
    for place, (title, width) in enumerate((("指标", 16), ("口径和算法", 78), ("数据来源", 34), ("依据", 18))):
        sheet.set_column(place, place, width)
        sheet.write_string(0, place, title, book.format(header=True))
    text = book.words(10, wrap=True)
    known: dict[str, Any] = {name: "至".join(figures.data[name]) for name in ("year_ago", "previous")}
    known["bank_days"] = BANK_PAYMENT.working_days
    for line, row in enumerate(COUNTED, 1):
        for place, cell in enumerate(row):
            sheet.write_string(line, place, cell.format(**known), text)
    sheet.freeze_panes(1, 0)


def _write_digest(book: Book, figures: Figures, heading: Heading) -> None:
    sheet = book.sheet(DIGEST)
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 80)
    facts = (
        ("通报编号", heading.number),
        ("标题", heading.title),
        ("期间", str(heading.span)),
        ("范围", heading.place),
        ("编制单位", heading.issuer),
        ("生成人", heading.prepared_by),
        ("生成时间", f"{heading.prepared_at:%Y-%m-%d %H:%M:%S}"),
        ("成功笔数", f"{figures.paid_count:,}"),
        ("已发金额（元）", f"{figures.paid_fen // 100:,}.{figures.paid_fen % 100:02d}"),
        ("与记账凭证核对", "已发金额与记账凭证“已发放”科目本期净额一致"),
        ("数据摘要（SHA-256）", figures.digest),
    )
    for line, (title, value) in enumerate(facts):
        sheet.write_string(line, 0, title, book.format(header=True))
        sheet.write_string(line, 1, value, book.format())
