"""Passwords: which are good enough, by which rule, and how they are stored. （第三十条）"""

import pytest

from models.security import COMPOSITION, Security
from models.settings import settings
from tests.conftest import ROOT
from workflows import passwords

WHO = {"login": "aohan.caizheng.clerk", "name": "包乌日汗"}


@pytest.fixture
def rule(monkeypatch: pytest.MonkeyPatch):
    """Set the password settings for one test: they are read from the environment."""

    def choose(**words: str) -> Security:
        for name, value in words.items():
            monkeypatch.setenv(f"YIKATONG_{name}", value)
        settings.cache_clear()
        return settings().security

    monkeypatch.setenv("YIKATONG_MODE", "test")
    yield choose
    settings.cache_clear()


class TestPassphrase:
    @pytest.mark.parametrize(
        "password",
        ["草原上的羊群在傍晚回家了吗", "five goats walked over a bridge", "kanal-7-trommel-Ofen", "Ykt-test-2024"],
    )
    def test_a_long_phrase_is_enough_without_any_composition(self, rule, password):
        rule(PASSWORD_RULE="passphrase")
        passwords.require_good(password, **WHO)

    @pytest.mark.parametrize(
        ("password", "refusal"),
        [
            ("kurz-Ofen7", passwords.PasswordTooShort),
            ("x" * 300, passwords.PasswordTooLong),
            ("passwordpassword", passwords.PasswordCommon),
            ("correct horse battery staple", passwords.PasswordCommon),
            ("1qaz2wsx3edc4rfv", passwords.PasswordCommon),
            ("123456789012345", passwords.PasswordCommon),
            ("abcdefghijklmn", passwords.PasswordCommon),
            ("nmlkjihgfedcba", passwords.PasswordCommon),
            ("aaaaaaaaaaaabc", passwords.PasswordCommon),
            ("ofen7!ofen7!ofen7!", passwords.PasswordCommon),
            ("AOHAN.caizheng-2024!", passwords.PasswordNamesOwner),
            ("my caizheng office key", passwords.PasswordNamesOwner),
            ("包乌日汗的很长的一个口令啊", passwords.PasswordNamesOwner),
        ],
    )
    def test_what_is_guessed_first_is_refused_by_its_own_name(self, rule, password, refusal):
        rule(PASSWORD_RULE="passphrase")
        with pytest.raises(refusal) as told:
            passwords.require_good(password, **WHO)
        assert password not in str(told.value)

    def test_the_length_is_a_setting_that_never_falls_below_twelve(self, rule):
        assert rule(PASSWORD_LENGTH="16").password_length == 16
        with pytest.raises(passwords.PasswordTooShort):
            passwords.require_good("kanal-7-trommel", **WHO)
        with pytest.raises(Exception, match="YIKATONG_PASSWORD_LENGTH"):
            rule(PASSWORD_LENGTH="8")


class TestComposition:
    def test_the_rule_of_the_grading_asks_for_three_kinds_rotation_and_history(self, rule):
        chosen = rule(PASSWORD_RULE=COMPOSITION)
        assert (chosen.password_length, chosen.password_days, chosen.password_history) == (10, 90, 5)
        with pytest.raises(passwords.PasswordOneKind):
            passwords.require_good("kanal seven trommel", **WHO)
        passwords.require_good("Kanal7-trommel", **WHO)
        told = "".join(passwords.rules_in_words())
        assert "90 天" in told and "3 类" in told and "5 次" in told


class TestList:
    def test_the_list_is_local_lower_case_and_free_of_personal_data(self):
        lines = (ROOT / "data" / "common_passwords.txt").read_text(encoding="utf-8").splitlines()
        words = [line for line in lines if not line.startswith("#")]
        assert len(words) > 15_000 and len(set(words)) == len(words)
        assert all(word == word.lower() and len(word) >= 8 for word in words)
        assert {"admin123", "p@ssw0rd", "1qaz2wsx", "caizheng123456", "woaini1314520"} <= passwords.common()


class TestStorage:
    def test_argon2id_with_a_salt_of_its_own(self, rule):
        rule()
        first, second = (passwords.hasher().hash("kanal-7-trommel-Ofen") for _ in range(2))
        assert first.startswith("$argon2id$") and first != second

    def test_production_costs_64_mib_and_three_passes_unless_set_higher(self, rule):
        rule(MODE="production")
        assert "$m=65536,t=3,p=1$" in passwords.hasher().hash("kanal-7-trommel-Ofen")
        rule(ARGON_PASSES="4")
        assert "t=4" in passwords.hasher().hash("kanal-7-trommel-Ofen")
        with pytest.raises(Exception, match="YIKATONG_ARGON_MEMORY_KIB"):
            rule(ARGON_MEMORY_KIB="1024")

    def test_a_weaker_hash_is_made_anew_when_the_password_is_right(self, rule):
        rule(MODE="test")
        weak = passwords.hasher().hash("kanal-7-trommel-Ofen")
        rule(MODE="production")
        right, stronger = passwords.verified("kanal-7-trommel-Ofen", weak)
        assert right and stronger is not None and "m=65536" in stronger
        assert passwords.verified("something else", weak) == (False, None)
        assert passwords.verified("kanal-7-trommel-Ofen", stronger) == (True, None)
