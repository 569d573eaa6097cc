"""Identity numbers, cards, bank codes and names, with python-stdnum as oracle. （第十一、十二、三十条）"""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.iso7064 import mod_11_2, mod_11_10

from policies import identities
from policies.identities import (
    IdentityWrong,
    birth_date,
    cnaps_digit,
    cnaps_valid,
    id_check,
    id_problem,
    id_problems,
    is_valid_id,
    luhn_digit,
    luhn_valid,
    mask_card,
    mask_id,
    mask_name,
    mask_numbers,
    mask_phone,
    name_key,
    normalise_id,
    sex_of,
    upgrade_id,
)

DIGITS = "0123456789"
born = st.dates(date(1850, 1, 1), date(2099, 12, 31))


@st.composite
def id_numbers(draw: st.DrawFn) -> str:
    day = draw(born)
    body = f"150430{day.year:04d}{day:%m%d}{draw(st.integers(0, 999)):03d}"
    return body + id_check(body)


class TestIdNumber:
    @given(id_numbers())
    def test_the_check_character_is_that_of_the_standard(self, number: str) -> None:
        assert id_check(number[:17]) == mod_11_2.calc_check_digit(number[:17])
        assert is_valid_id(number) and mod_11_2.is_valid(number)

    @given(id_numbers(), st.integers(0, 17), st.sampled_from(DIGITS))
    def test_one_wrong_digit_is_found(self, number: str, place: int, digit: str) -> None:
        changed = number[:place] + digit + number[place + 1 :]
        assert is_valid_id(changed) == (changed == number)

    @given(st.lists(st.one_of(id_numbers(), st.text(DIGITS + "Xx１ab", max_size=19)), max_size=20))
    def test_a_column_is_checked_as_its_numbers_are(self, numbers: list[str]) -> None:
        assert id_problems(numbers) == {place: id_problem(n) for place, n in enumerate(numbers) if id_problem(n)}

    @given(id_numbers())
    def test_it_tells_birth_date_and_sex(self, number: str) -> None:
        assert f"{birth_date(number):%m%d}" == number[10:14] and birth_date(number).year == int(number[6:10])
        assert sex_of(number) == ("1" if int(number[16]) % 2 else "2")

    @pytest.mark.parametrize(
        ("number", "problem"),
        [
            ("", identities.LENGTH_WRONG),
            ("15043019900101", identities.LENGTH_WRONG),
            ("15043019900101001Y", identities.CHARACTER_WRONG),
            ("１50430199001010019", identities.CHARACTER_WRONG),
            ("150430199002300019", identities.DATE_WRONG),
            ("150430190002290019", identities.DATE_WRONG),
            ("150430199001010019", identities.CHECK_WRONG),
        ],
    )
    def test_it_says_which_part_is_wrong(self, number: str, problem: str) -> None:
        assert id_problem(number) == id_problems([number])[0] == problem

    def test_a_wrong_number_tells_nothing(self) -> None:
        for ask in (birth_date, sex_of):
            with pytest.raises(IdentityWrong) as wrong:
                ask("150430199001010019")
            assert "1504" not in str(wrong.value)

    def test_it_is_stored_half_width_upper_case_with_18_characters(self) -> None:
        number = upgrade_id("150430900101001")
        assert len(number) == 18 and is_valid_id(number) and number[6:10] == "1990"
        assert normalise_id("150430900101001") == normalise_id(f" {number[:6]} {number[6:]}") == number
        assert normalise_id("１５０４３０19900101002x") == "15043019900101002X"

    def test_residence_permits_of_hong_kong_macau_and_taiwan_are_valid(self) -> None:
        for prefix in ("810000", "820000", "830000"):
            body = f"{prefix}19900101001"
            assert is_valid_id(body + id_check(body))


class TestCards:
    @given(st.text(DIGITS, min_size=1, max_size=19))
    def test_luhn_is_that_of_the_standard(self, number: str) -> None:
        assert luhn_valid(number) == luhn.is_valid(number)
        assert luhn_valid(number + luhn_digit(number))

    @given(st.text(DIGITS, min_size=11, max_size=11))
    def test_a_bank_code_ends_in_its_check_digit(self, body: str) -> None:
        assert cnaps_digit(body) == mod_11_10.calc_check_digit(body)
        assert cnaps_valid(body + cnaps_digit(body))

    def test_a_public_bank_code_passes(self) -> None:
        assert cnaps_valid("102100099996") and not cnaps_valid("102100099995") and not cnaps_valid("10210009999")


class TestNames:
    @pytest.mark.parametrize("variant", ["包・乌日汗", "包•乌日汗", "包．乌日汗", "包 · 乌日汗", "包·乌日汗\u3000"])
    def test_variants_of_the_middle_dot_are_one_name(self, variant: str) -> None:
        assert name_key(variant) == "包·乌日汗"

    def test_rare_characters_survive(self) -> None:
        assert [name_key(name) for name in ("㛃", "䶮", "𠅤", "𬱖")] == ["㛃", "䶮", "𠅤", "𬱖"]


class TestMasks:
    def test_words_that_quote_a_number_which_names_a_person_show_its_ends_only(self):
        """第三十条：个人信息保护。"""
        quoted = "银行“6217371234567890014”不在名录中；电话 13800013297，证件 15010219800101001X，清册 QC1504301020068"
        shown = "银行“621737*********0014”不在名录中；电话 138****3297，证件 150102********001X，清册 QC1504301020068"
        assert mask_numbers(quoted) == shown

    def test_each_kind_of_number_has_its_mask(self) -> None:
        assert mask_id("150102199001010019") == "150102********0019"
        assert mask_id("150102199001010019", public=True) == "150***********0019"
        assert mask_phone("13812340001") == "138****0001"
        assert mask_card("6217371234567890014") == "621737*********0014"

    def test_names_keep_what_neighbours_need(self) -> None:
        shown = [mask_name(name) for name in ("张三", "张三丰", "孛儿只斤·巴特尔", "", "张")]
        assert shown == ["张*", "张*丰", "孛儿只斤·***", "", "*"]

    @given(st.text(DIGITS, max_size=25))
    def test_no_mask_shows_a_whole_number(self, number: str) -> None:
        for mask in (mask_id, mask_card, mask_phone):
            assert len(number) < 2 or mask(number) != number
