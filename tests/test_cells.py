"""Cells of workbooks: money is exact, a column is read as its cells are, rounding is half up."""

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from policies.identities import luhn_valid
from reports.sheets import cells
from reports.sheets.findings import column_letter


class TestCells:
    @given(st.integers(1, 90_000_000 - 1))
    def test_an_amount_survives_as_number_and_as_text(self, fen: int) -> None:
        shown = f"{fen // 100}.{fen % 100:02d}"
        assert cells.scaled(fen / 100, 2) == cells.scaled(shown, 2) == fen
        assert cells.numbers([fen / 100, shown], 2).values == [fen, fen]

    @given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12), st.integers(-9, 9)))
    def test_a_column_and_a_cell_are_read_alike(self, value: float | str | int) -> None:
        column = cells.numbers([value], 2)
        try:
            assert (column.values, column.problems) == ([cells.scaled(value, 2)], {})
        except cells.NumberWrong as wrong:
            assert (column.values, column.problems) == ([0], {0: str(wrong)})

    @given(st.integers(1, 10**8), st.integers(1, 10**8))
    def test_amounts_are_rounded_half_up_to_the_fen(self, milli: int, units: int) -> None:
        exact = Decimal(milli) / 1000 * Decimal(units) / 10000
        assert cells.expected_fen([milli], [units]) == [int((exact * 100).quantize(Decimal(1), ROUND_HALF_UP))]

    @given(st.lists(st.text("0123456789", min_size=16, max_size=19)))
    def test_luhn_by_the_column_is_luhn_by_the_number(self, numbers: list[str]) -> None:
        misses = {place for place, note in cells.accounts(numbers).notes.items() if "校验" in note}
        assert misses == {place for place, number in enumerate(numbers) if not luhn_valid(number)}

    def test_columns_have_their_letters(self) -> None:
        assert [column_letter(place) for place in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
