"""Envelopes and blind indexes: what is sealed opens, the key file is read anew when it changes. （第三十条）"""

import json
import os
import stat
from pathlib import Path

import pytest

from models.crypto import (
    INDEX_BYTES,
    EnvelopeBroken,
    IndexKey,
    KeyRing,
    KeysMissing,
    change_key_file,
    complete_key_file,
    make_key_file,
    ring,
)
from models.settings import settings

NUMBER = "15042819800101123X"


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh key file that the settings of this process name."""
    path = tmp_path / "keys.json"
    monkeypatch.setenv("YIKATONG_KEYS", str(path))
    settings.cache_clear()
    make_key_file(path)
    yield path
    settings.cache_clear()


def choose(monkeypatch: pytest.MonkeyPatch, **names: str) -> None:
    for name, value in names.items():
        monkeypatch.setenv(f"YIKATONG_{name}", value)
    settings.cache_clear()


@pytest.mark.parametrize(("cipher", "version"), [("aes-256-gcm", 1), ("sm4-gcm", 2)])
class TestEnvelopes:
    def test_what_is_sealed_opens_and_says_cipher_and_key(self, key_file, monkeypatch, cipher, version):
        choose(monkeypatch, CIPHER=cipher)
        sealed = ring().seal(NUMBER)
        assert (sealed[0], sealed[1]) == (version, 1)
        assert NUMBER.encode() not in sealed
        assert ring().open(sealed) == NUMBER
        assert ring().open(ring().seal("")) == ""

    def test_the_same_text_never_looks_the_same(self, key_file, monkeypatch, cipher, version):
        choose(monkeypatch, CIPHER=cipher)
        assert len({ring().seal(NUMBER) for _ in range(50)}) == 50

    def test_one_changed_bit_anywhere_and_it_does_not_open(self, key_file, monkeypatch, cipher, version):
        choose(monkeypatch, CIPHER=cipher)
        sealed = ring().seal(NUMBER)
        for place in range(len(sealed)):
            changed = bytearray(sealed)
            changed[place] ^= 1
            with pytest.raises(EnvelopeBroken):
                ring().open_bytes(bytes(changed))
        for cut in range(len(sealed)):
            with pytest.raises(EnvelopeBroken):
                ring().open_bytes(sealed[:cut])


class TestCipherBySetting:
    def test_the_setting_changes_new_envelopes_and_the_old_ones_still_open(self, key_file, monkeypatch):
        old = ring().seal(NUMBER)
        choose(monkeypatch, CIPHER="sm4-gcm")
        new = ring().seal(NUMBER)
        assert (old[0], new[0]) == (1, 2)
        assert ring().open(old) == ring().open(new) == NUMBER

    def test_an_unknown_cipher_is_refused(self, key_file, monkeypatch):
        choose(monkeypatch, CIPHER="rot13")
        with pytest.raises(Exception, match="YIKATONG_CIPHER"):
            ring()


class TestIndexes:
    @pytest.mark.parametrize("kind", ["hmac-sha256", "hmac-sm3"])
    def test_equal_values_of_one_purpose_are_equal_and_nothing_else_is(self, tmp_path, monkeypatch, kind):
        choose(monkeypatch, INDEX=kind, KEYS=str(tmp_path / "k.json"))
        make_key_file(tmp_path / "k.json")
        index = ring().index("id", NUMBER)
        assert index == ring().index("id", NUMBER)
        assert (len(index), index[0]) == (INDEX_BYTES, 1)
        assert index not in (ring().index("account", NUMBER), ring().index("id", NUMBER[:-1] + "1"))
        settings.cache_clear()

    def test_the_next_generation_comes_from_the_stored_value_alone(self):
        keys = {n: IndexKey(bytes([n]) * 32, "sm3" if n == 2 else "sha256") for n in (1, 2, 3)}
        first, third = (KeyRing(1, {1: b"k" * 32}, n, keys, b"t") for n in (1, 3))
        stored = first.index("id", NUMBER)
        assert third.next_index(first.next_index(stored)) == third.index("id", NUMBER)

    def test_without_the_newest_key_the_older_ones_tell_nothing(self):
        keys = {1: IndexKey(b"1" * 32), 2: IndexKey(b"2" * 32)}
        stored = KeyRing(1, {}, 2, keys, b"").index("id", NUMBER)
        guessed = KeyRing(1, {}, 2, {1: keys[1], 2: IndexKey(b"x" * 32)}, b"").index("id", NUMBER)
        assert stored != guessed


class TestKeyFile:
    def test_it_is_read_anew_when_it_changes(self, key_file):
        assert ring().current == 1
        change_key_file(key_file, lambda raw: (raw["keys"].update({"2": "ab" * 32}), raw.update(current=2)))
        assert ring().current == 2
        assert ring().seal(NUMBER)[1] == 2

    def test_it_stays_closed_to_others_and_no_half_file_is_left(self, key_file):
        change_key_file(key_file, lambda raw: raw.update(current=1))
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        assert [name for name in os.listdir(key_file.parent) if not name.endswith(".lock")] == ["keys.json"]

    def test_making_it_twice_is_refused(self, key_file):
        with pytest.raises(FileExistsError):
            make_key_file(key_file)

    def test_a_missing_or_broken_file_is_said(self, key_file):
        key_file.write_text("{")
        with pytest.raises(KeysMissing):
            ring(fresh=True)
        key_file.unlink()
        with pytest.raises(KeysMissing):
            ring(fresh=True)

    def test_an_older_file_is_completed_and_its_index_becomes_the_first_generation(self, key_file):
        raw = json.loads(key_file.read_text())
        older = {name: raw[name] for name in ("current", "keys", "ticket_key")} | {"index_key": "cd" * 32}
        key_file.write_text(json.dumps(older))
        index = ring(fresh=True).index("id", NUMBER)
        assert index[0] == 1
        complete_key_file(key_file)
        assert ring(fresh=True).index("id", NUMBER) == index
        assert ring().anchor_key().public_key() == ring().anchor_key().public_key()

    def test_an_older_file_gets_its_anchor_key_at_first_use(self, key_file):
        change_key_file(key_file, lambda raw: raw.pop("anchor_seed"))
        first = ring().anchor_key().private_bytes_raw()
        assert ring().anchor_key().private_bytes_raw() == first

    def test_keys_are_never_printed_by_accident(self, key_file):
        assert all(key.hex() not in repr(ring()) for key in ring().keys.values())
        assert "object at" in repr(ring())
