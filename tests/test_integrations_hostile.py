"""Hostile and broken bank files: refused in Chinese, nothing opened, nothing fetched. （第三十条）"""

import pytest

from integrations.errors import Unreadable
from integrations.iso20022 import camt053, pain001, pain002, xml
from integrations.sandbox.bank_files import read_order
from tests.test_integrations_iso20022 import CODE, inside, one, report

LAUGHS = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10 if at else "lol" * 10}">' for at in range(10))

HOSTILE = {
    "billion laughs": report(inside(one(reason="<AddtlInf>&l9;</AddtlInf>"))).replace(
        b"<Document>", f"<!DOCTYPE Document [{LAUGHS}]><Document>".encode()
    ),
    "an external entity": report(inside(one(reason="<AddtlInf>&file;</AddtlInf>"))).replace(
        b"<Document>", b'<!DOCTYPE Document [<!ENTITY file SYSTEM "file:///etc/passwd">]><Document>'
    ),
    "a DTD from the network": report(inside(one())).replace(
        b"<Document>", b'<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/x.dtd"><Document>'
    ),
    "a DTD in UTF-16": report(inside(one()), encoding="UTF-16")
    .decode("UTF-16")
    .replace("<Document>", "<!DOCTYPE Document []><Document>")
    .encode("UTF-16"),
    "nothing": b" \n",
    "half a file": report(inside(one(reason=CODE)))[:-40],
    "GBK bytes called UTF-8": report(inside(one(reason="<AddtlInf>销户</AddtlInf>"))).replace(
        "销户".encode(), "销户".encode("gbk")
    ),
    "no XML": b"PK\x03\x04 not xml",
    "another message": b"<Document><BkToCstmrDbtCdtNtfctn/></Document>",
    "too deep": b"<Document>" * 5_000 + b"</Document>" * 5_000,
}


class TestHostileFiles:
    @pytest.mark.parametrize("read", [pain002.read, camt053.read, pain001.validate, read_order])
    @pytest.mark.parametrize("form", HOSTILE)
    def test_a_file_that_is_hostile_or_broken_is_refused_in_chinese(self, form: str, read: object) -> None:
        with pytest.raises(Unreadable) as refusal:
            read(HOSTILE[form])  # type: ignore[operator]  # one of four readers
        assert "无法读取" in str(refusal.value)
        assert "root:" not in str(refusal.value) and "lol" not in str(refusal.value)

    def test_a_file_beyond_the_bound_is_refused_before_it_is_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(xml, "MAX_BYTES", 100)
        with pytest.raises(Unreadable, match="超过"):
            pain002.read(report())
