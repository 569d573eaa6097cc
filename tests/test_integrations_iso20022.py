"""Bank files: ours are valid and streamed, the banks' are read in any form or refused. （第二十至二十二条）"""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from integrations.amounts import fen_of, yuan_text
from integrations.errors import Unreadable, Unwritable
from integrations.iso20022 import camt053, pain001, pain002
from integrations.iso20022.pain001 import CreditTransfer
from integrations.iso20022.reasons import failure_class
from integrations.sandbox.bank_files import read_order
from tests.outside import ACTIVE, AGENT, CNAPS, HOLDER, a_file, a_payment

NS = {"p": pain001.NAMESPACE}


def found(content: bytes, path: str) -> list[str]:
    return [str(one) for one in etree.fromstring(content).xpath(path, namespaces=NS)]


class TestAmounts:
    @given(st.integers(-(10**15), 10**15))
    def test_fen_to_yuan_and_back_is_the_same(self, amount_fen: int) -> None:
        assert fen_of(yuan_text(amount_fen)) == amount_fen

    @pytest.mark.parametrize(("text", "amount_fen"), [("1", 100), ("1.5", 150), ("0.05", 5), ("12.3400", 1234)])
    def test_yuan_is_read_exactly(self, text: str, amount_fen: int) -> None:
        assert fen_of(text) == amount_fen

    @pytest.mark.parametrize("text", ["", "1,000.00", "1.005", "1e3", "***", "１.00元", "NaN", "--1"])
    def test_what_is_no_amount_is_refused_without_repeating_it(self, text: str) -> None:
        with pytest.raises(ValueError, match="金额") as refusal:
            fen_of(text)
        assert not text or text not in str(refusal.value)


class TestWriting:
    def test_a_file_names_accounts_banks_and_sums_the_chinese_way(self) -> None:
        payments = [a_payment("E-1", amount_fen=1), replace(a_payment("E-2", amount_fen=1_050), bank_code="", memo="")]
        content = pain001.write(a_file("PC-1", payments))
        pain001.validate(content)
        assert found(content, "//p:CdtrAcct/p:Id/p:Othr/p:Id/text()") == [ACTIVE[0]] * 2
        assert found(content, "//p:DbtrAcct/p:Id/p:Othr/p:Id/text()") == [AGENT]
        assert found(content, "//p:ClrSysMmbId/p:ClrSysId/p:Cd/text()") == ["CNAPS"] * 2
        assert found(content, "//p:ClrSysMmbId/p:MmbId/text()") == [CNAPS] * 2
        assert found(content, "//p:NbOfTxs/text()") == ["2", "2"]
        assert found(content, "//p:CtrlSum/text()") == ["10.51", "10.51"]
        assert found(content, "//p:InstdAmt/text()") == ["0.01", "10.50"]
        assert found(content, "//p:InstdAmt/@Ccy") == ["CNY", "CNY"]
        assert found(content, "//p:CtgyPurp/p:Cd/text()") == ["GOVT"]
        assert found(content, "//p:EndToEndId/text()") == ["E-1", "E-2"]
        assert found(content, "//p:Cdtr/p:Nm/text()") == [HOLDER, HOLDER]

    def test_the_payee_is_never_charged(self) -> None:
        assert found(pain001.write(a_file("PC-1", [a_payment("E-1")])), "//p:ChrgBr/text()") == ["DEBT"]

    def test_rare_characters_and_markup_in_names_arrive_as_they_are(self) -> None:
        names = ["㛃䶮", "𠅤𬱖", "<&>\"'", "包·乌日汗"]
        payments = [a_payment(f"E-{at}", name=name) for at, name in enumerate(names)]
        content = pain001.write(a_file("PC-1", payments))
        pain001.validate(content)
        assert [payment[1] for payment in read_order(content).payments or []] == names

    @pytest.mark.parametrize(
        ("field", "value", "named"),
        [
            ("end_to_end_id", "E" * 36, "EndToEndId"),
            ("end_to_end_id", "", "EndToEndId"),
            ("amount_fen", 0, "金额"),
            ("amount_fen", -1, "金额"),
            ("account_number", "6217 3715", "收款账号"),
            ("payee_name", " ", "收款人"),
            ("payee_name", "长" * 141, "收款人"),
            ("payee_name", "张\x00三", "控制字符"),
            ("bank_code", "40219400001", "联行号"),
            ("memo", "长" * 141, "附言"),
        ],
    )
    def test_a_payment_off_the_format_is_refused_by_field_and_never_by_content(
        self, field: str, value: object, named: str
    ) -> None:
        wrong = replace(a_payment("E-1"), **{field: value})  # type: ignore[arg-type]  # wrong on purpose
        with pytest.raises(Unwritable) as refusal:
            pain001.write(a_file("PC-1", [wrong], payment_count=1, total_fen=10_000))
        assert named in str(refusal.value)
        assert HOLDER not in str(refusal.value) and ACTIVE[0] not in str(refusal.value)

    @pytest.mark.parametrize("declared", [{"payment_count": 2}, {"total_fen": 10_001}])
    def test_a_file_that_differs_from_its_batch_is_refused(self, declared: dict[str, int]) -> None:
        with pytest.raises(Unwritable, match="不一致"):
            pain001.write(a_file("PC-1", [a_payment("E-1")], **declared))

    def test_the_schema_refuses_what_we_never_write(self) -> None:
        content = pain001.write(a_file("PC-1", [a_payment("E-1")]))
        for old, new in (
            (b"CNAPS", b"CHIPS"),
            (b"GOVT", b"SALA"),
            (b"100.00", b"100.001"),
            (b"<EndToEndId>E-1", b"<EndToEndId>" + b"E" * 36),
            (b"<ChrgBr>DEBT</ChrgBr>", b""),
            (b"TRF", b"CHK"),
        ):
            with pytest.raises(Unreadable):
                pain001.validate(content.replace(old, new))

    def test_ten_thousand_payments_need_no_more_memory_than_ten(self) -> None:
        def peak(count: int) -> int:
            def payments() -> Iterator[CreditTransfer]:
                for number in range(count):
                    yield a_payment(f"E-{number}", amount_fen=1)

            class Nowhere(BytesIO):
                def write(self, data: object, /) -> int:
                    return len(bytes(data))  # type: ignore[arg-type]  # lxml gives bytes

            tracemalloc.start()
            file = replace(a_file("PC-1", [a_payment("E-1")]), payments=payments())
            pain001.write_to(Nowhere(), replace(file, payment_count=count, total_fen=count))
            used = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return used

        peak(10)
        assert peak(10_000) < peak(10) + 200_000


REPORT = """<?xml version="1.0" encoding="{encoding}"?>
<Document{namespace}><CstmrPmtStsRpt>
<GrpHdr><MsgId>R-1</MsgId><CreDtTm>2026-12-02T10:00:00</CreDtTm></GrpHdr>
<OrgnlGrpInfAndSts><OrgnlMsgId>PC-1</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{group}</OrgnlGrpInfAndSts>
{payments}
</CstmrPmtStsRpt></Document>"""


def report(payments: str = "", group: str = "", namespace: str = "", encoding: str = "UTF-8") -> bytes:
    named = f' xmlns="{namespace}"' if namespace else ""
    text = REPORT.format(payments=payments, group=group, namespace=named, encoding=encoding)
    return text.encode(encoding, "xmlcharrefreplace")


def one(status: str = "RJCT", reason: str = "", reference: str = "E-1", more: str = "") -> str:
    said = f"<StsRsnInf>{reason}</StsRsnInf>" if reason else ""
    sts = f"<TxSts>{status}</TxSts>" if status else ""
    return f"<TxInfAndSts><OrgnlEndToEndId>{reference}</OrgnlEndToEndId>{sts}{said}{more}</TxInfAndSts>"


def inside(transactions: str, status: str = "", reason: str = "") -> str:
    sts = f"<PmtInfSts>{status}</PmtInfSts>" if status else ""
    why = f"<StsRsnInf>{reason}</StsRsnInf>" if reason else ""
    head = f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>PC-1</OrgnlPmtInfId>{sts}{why}"
    return f"{head}{transactions}</OrgnlPmtInfAndSts>"


CODE = "<Rsn><Cd>AC04</Cd></Rsn>"
URN = "urn:iso:std:iso:20022:tech:xsd:"

WILD = {
    "version 03": report(inside(one(reason=CODE)), namespace=URN + "pain.002.001.03"),
    "version 12": report(inside(one(reason=CODE)), namespace=URN + "pain.002.001.12"),
    "no namespace": report(inside(one(reason=CODE))),
    "a bank's own namespace": report(inside(one(reason=CODE)), namespace="http://bank.example/xml"),
    "ISO-8859-1": report(
        inside(one(reason=CODE + "<AddtlInf>Ferm\u00e9</AddtlInf>")),
        namespace=URN + "pain.002.001.03",
        encoding="ISO-8859-1",
    ),
    "UTF-16": report(inside(one(reason=CODE)), encoding="UTF-16"),
    "a byte order mark": b"\xef\xbb\xbf" + report(inside(one(reason=CODE))),
    "a code in the proprietary field": report(inside(one(reason="<Rsn><Prtry>AC04</Prtry></Rsn>"))),
    "free text in the reason": report(inside(one(reason="<Rsn>账户已销户</Rsn>"))),
    "free text beside it": report(inside(one(reason="<AddtlInf>该账户</AddtlInf><AddtlInf>已销户</AddtlInf>"))),
    "NARR with text": report(inside(one(reason="<Rsn><Cd>NARR</Cd></Rsn><AddtlInf>收款账户已销户</AddtlInf>"))),
    "two reasons": report(inside(one(reason=f"<AddtlInf>x</AddtlInf></StsRsnInf><StsRsnInf>{CODE}"))),
    "outside any payment information": report(one(reason=CODE)),
    "elements in another order": report(
        f"<OrgnlPmtInfAndSts><TxInfAndSts><StsRsnInf>{CODE}</StsRsnInf><TxSts>RJCT</TxSts>"
        "<OrgnlEndToEndId>E-1</OrgnlEndToEndId></TxInfAndSts><OrgnlPmtInfId>PC-1</OrgnlPmtInfId></OrgnlPmtInfAndSts>"
    ),
    "only the instruction's id": report(inside(one(reason=CODE))).replace(b"OrgnlEndToEndId", b"OrgnlInstrId"),
    "NOTPROVIDED and the instruction's id": report(
        inside(one(reason=CODE, reference="NOTPROVIDED", more="<OrgnlInstrId>E-1</OrgnlInstrId>"))
    ),
    "the status only above": report(inside(one(status="", reason=CODE), status="RJCT")),
    "the status only at the top": report(inside(one(status="", reason=CODE)), group="<GrpSts>RJCT</GrpSts>"),
    "a masked amount": report(
        inside(one(reason=CODE, more="<OrgnlTxRef><Amt><InstdAmt Ccy='CNY'>***</InstdAmt></Amt></OrgnlTxRef>"))
    ),
    "comments and processing instructions": report(inside(f"<!-- x --><?bank y?>{one(reason=CODE)}")),
    "an envelope around it": report(inside(one(reason=CODE)))
    .replace(b"<Document>", b"<Bag><Hdr/><Document>")
    .replace(b"</Document>", b"</Document></Bag>"),
    "spaces around values": report(
        inside(one(status=" RJCT ", reason="<Rsn><Cd> ac04\n</Cd></Rsn>", reference=" E-1 "))
    ),
}


class TestResults:
    @pytest.mark.parametrize("form", WILD)
    def test_a_closed_account_is_read_in_every_form_that_banks_send(self, form: str) -> None:
        file = pain002.read(WILD[form])
        assert file.message_id == "PC-1"
        assert [result.end_to_end_id for result in file.results] == ["E-1"]
        assert file.results[0].verdict.outcome == "failed"
        assert file.results[0].verdict.failure_class == "closed"
        assert file.results[0].settled_on == date(2026, 12, 2)

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            ("ACCC", "paid"),
            ("ACSC", "paid"),
            ("RJCT", "failed"),
            ("CANC", "failed"),
            ("ACSP", "pending"),
            ("PDNG", "pending"),
            ("XXXX", "pending"),
            ("", "pending"),
        ],
    )
    def test_only_a_final_status_is_an_outcome(self, status: str, outcome: str) -> None:
        result = pain002.read(report(inside(one(status)))).results[0]
        assert result.verdict.outcome == outcome
        assert (result.verdict.failure_class != "") == (outcome == "failed")
        assert (result.settled_on is None) == (outcome == "pending")

    def test_a_file_rejected_as_a_whole_rejects_the_payments_it_does_not_list(self) -> None:
        file = pain002.read(report(group="<GrpSts>RJCT</GrpSts><StsRsnInf><Rsn><Cd>AM04</Cd></Rsn></StsRsnInf>"))
        assert file.results == []
        assert file.rest is not None
        assert (file.rest.outcome, file.rest.failure_class) == ("failed", "agent_short")

    def test_a_rejected_payment_information_rejects_the_payments_it_does_not_list(self) -> None:
        rejected = inside("", "RJCT", "<Rsn><Cd>AM05</Cd></Rsn>")
        file = pain002.read(report(rejected, group="<GrpSts>PART</GrpSts>"))
        assert file.rest is not None and file.rest.failure_class == "duplicate"

    def test_a_partial_acceptance_leaves_the_payments_it_does_not_list_open(self) -> None:
        file = pain002.read(report(inside(one("ACSC") + one("RJCT", CODE, "E-2")), group="<GrpSts>PART</GrpSts>"))
        assert [result.verdict.outcome for result in file.results] == ["paid", "failed"]
        assert file.rest is None

    def test_the_date_of_settlement_is_the_payments_own_when_it_tells_one(self) -> None:
        own = "<AccptncDtTm>2026-12-01T16:00:00+08:00</AccptncDtTm>"
        assert pain002.read(report(inside(one("ACSC", more=own)))).results[0].settled_on == date(2026, 12, 1)

    def test_a_payment_without_any_id_is_kept_for_the_exceptions_desk(self) -> None:
        assert pain002.read(report(inside(one("ACSC", reference="")))).results[0].end_to_end_id == ""

    def test_an_amount_in_another_currency_is_no_amount(self) -> None:
        amount = "<OrgnlTxRef><Amt><InstdAmt Ccy='USD'>1.00</InstdAmt></Amt></OrgnlTxRef>"
        assert pain002.read(report(inside(one("ACSC", more=amount)))).results[0].amount_fen is None


class TestReasons:
    @pytest.mark.parametrize(
        ("code", "word", "text", "expected"),
        [
            ("AC01", "", "", "invalid"),
            ("AC03", "", "", "invalid"),
            ("AC04", "", "", "closed"),
            ("AC07", "", "", "closed"),
            ("AC06", "", "", "frozen"),
            ("AC06", "LOST", "", "lost_card"),
            ("AC06", "", "卡片挂失", "lost_card"),
            ("", "DORMANT", "", "dormant"),
            ("AG01", "", "", "dormant"),
            ("BE01", "", "", "name_differs"),
            ("AM02", "", "", "limit"),
            ("AM14", "", "", "limit"),
            ("AM04", "", "", "agent_short"),
            ("AM05", "", "", "duplicate"),
            ("MD07", "", "", "dead"),
            ("AC14", "", "", "wrong_kind"),
            ("RC01", "", "", "bank_code"),
            ("MS03", "", "", "unspecified"),
            ("NARR", "", "银行系统忙", "unspecified"),
            ("NARR", "", "户名与账号不符", "name_differs"),
            ("", "", "收款人已死亡，账户冻结", "dead"),
            ("", "", "不动户，请激活", "dormant"),
            ("", "", "收款账号不存在", "invalid"),
            ("", "", "单日累计超限额", "limit"),
            ("", "", "付款账户余额不足", "agent_short"),
            ("", "9999", "", "unspecified"),
        ],
    )
    def test_code_word_or_text_gives_the_class_that_article_21_routes_by(
        self, code: str, word: str, text: str, expected: str
    ) -> None:
        assert failure_class(code, word, text) == expected


STATEMENTS = """<?xml version="1.0" encoding="UTF-8"?>
<Document{namespace}><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr>{statements}</BkToCstmrStmt></Document>"""


def statements(*each: str, namespace: str = URN + "camt.053.001.08") -> bytes:
    named = f' xmlns="{namespace}"' if namespace else ""
    return STATEMENTS.format(statements="".join(each), namespace=named).encode()


def balance(kind: str, yuan: str, sign: str = "CRDT") -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy='CNY'>{yuan}</Amt><CdtDbtInd>{sign}</CdtDbtInd>"
        "<Dt><Dt>2026-12-01</Dt></Dt></Bal>"
    )


def a_statement(entries: str = "", opening: str = "10.00", closing: str = "10.00", first: str = "OPBD") -> str:
    balances = balance(first, opening) + balance("CLBD", closing)
    return f"<Stmt><Id>S-1</Id><Acct><Id><Othr><Id>{AGENT}</Id></Othr></Id></Acct>{balances}{entries}</Stmt>"


def an_entry(yuan: str, sign: str = "DBIT", status: str = "<Cd>BOOK</Cd>", details: str = "") -> str:
    return (
        f"<Ntry><NtryRef>1</NtryRef><Amt Ccy='CNY'>{yuan}</Amt><CdtDbtInd>{sign}</CdtDbtInd><Sts>{status}</Sts>"
        f"<BookgDt><DtTm>2026-12-01T11:00:00</DtTm></BookgDt><BkTxCd><Prtry><Cd>PAY</Cd></Prtry></BkTxCd>{details}</Ntry>"
    )


def a_detail(reference: str, amount: str = "") -> str:
    return f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>{amount}</TxDtls>"


class TestStatements:
    def test_several_statements_in_one_file_are_all_read(self) -> None:
        read = camt053.read(statements(a_statement(), a_statement().replace("S-1", "S-2"), namespace=""))
        assert [one.number for one in read] == ["S-1", "S-2"]

    def test_a_statement_without_entries_is_a_statement(self) -> None:
        (read,) = camt053.read(statements(a_statement()))
        assert (read.entries, read.day, read.account_number) == ([], date(2026, 12, 1), AGENT)

    def test_several_payments_in_one_entry_are_booked_each(self) -> None:
        new = "<Amt Ccy='CNY'>1.00</Amt>"
        old = "<AmtDtls><TxAmt><Amt Ccy='CNY'>2.50</Amt></TxAmt></AmtDtls>"
        details = f"<NtryDtls>{a_detail('E-1', new)}</NtryDtls><NtryDtls>{a_detail('E-2', old)}</NtryDtls>"
        (read,) = camt053.read(statements(a_statement(an_entry("3.50", details=details), closing="6.50")))
        assert [(one.end_to_end_id, one.signed_fen, one.kind) for one in read.entries] == [
            ("E-1", -100, "PAY"),
            ("E-2", -250, "PAY"),
        ]
        assert read.difference_fen == 0

    def test_details_that_do_not_add_up_to_their_entry_are_refused(self) -> None:
        amount = "<Amt Ccy='CNY'>1.00</Amt>"
        details = f"<NtryDtls>{a_detail('E-1', amount)}{a_detail('E-2')}</NtryDtls>"
        with pytest.raises(Unreadable, match="不一致"):
            camt053.read(statements(a_statement(an_entry("3.50", details=details))))

    def test_old_versions_give_the_status_as_text_and_pending_entries_do_not_count(self) -> None:
        entries = (
            an_entry("1.00", status="BOOK") + an_entry("5.00", status="PDNG") + an_entry("7.00", status="<Cd>INFO</Cd>")
        )
        (read,) = camt053.read(statements(a_statement(entries, closing="9.00"), namespace=URN + "camt.053.001.02"))
        assert [one.amount_fen for one in read.entries] == [100]
        assert read.entries[0].end_to_end_id == ""

    def test_a_balance_can_be_in_debit_and_the_opening_one_of_yesterday(self) -> None:
        told = a_statement(first="PRCD").replace("CRDT", "DBIT", 1)
        (read,) = camt053.read(statements(told))
        assert (read.opening_fen, read.closing_fen, read.difference_fen) == (-1_000, 1_000, 2_000)

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            ("<Id>S-1</Id>", "", "编号"),
            ("OPBD", "XXXX", "期初余额"),
            ("CLBD", "XXXX", "期末余额"),
            ("CNY", "USD", "人民币"),
            ("<CdtDbtInd>CRDT</CdtDbtInd>", "", "借贷标志"),
            (f"<Acct><Id><Othr><Id>{AGENT}</Id></Othr></Id></Acct>", "", "账号"),
        ],
    )
    def test_a_statement_that_lacks_what_reconciling_needs_is_refused_and_says_what(
        self, old: str, new: str, told: str
    ) -> None:
        with pytest.raises(Unreadable, match=told):
            camt053.read(statements(a_statement().replace(old, new)))
