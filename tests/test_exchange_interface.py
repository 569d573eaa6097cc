"""The inbound interface over a real socket: who is let in, what is refused and how it is said. （第二十九、三十条）"""

import json
import logging
import secrets
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin import exchange_api
from integrations.exchange import BATCHES, BODY, DIGEST, NONCE, STATE, TIMESTAMP, Department, Head, pack, signature_of
from integrations.signature import HEADER
from models.exchange import FactKind
from models.households import Member
from policies.exchange import FAILURES_PER_MINUTE, MAX_BYTES, MAX_ROWS, PER_MINUTE
from tests.conftest import As, Owner
from tests.exchanging import Stage, a_row, body_of, exchanging
from tests.factories import World, a_member
from tests.world import an_id_number
from workflows import exchange
from workflows.exchange_rows import BatchWrong, read_envelope, read_rows

DAY = date(2024, 7, 1)
DISABILITY = frozenset((str(FactKind.DISABILITY),))


@pytest.fixture
def stage(county: World, owner: Owner, as_: As) -> Iterator[Stage]:
    exchange_api.FAILURES = exchange_api.Failures()
    with exchanging(county, owner, as_) as made:
        yield made


@pytest.fixture
def member(county: World, owner: Owner) -> Member:
    with owner() as session:
        return a_member(session, county)


@pytest.fixture
def sender(stage: Stage) -> Department:
    return stage.department("disabled")


def problems(answer: httpx.Response) -> list[tuple[int, str]]:
    assert answer.status_code == 400, answer.text
    return [(one["row"], one["field"]) for one in answer.json()["problems"]]


class TestReceipts:
    def test_the_same_content_again_gets_the_same_receipt(self, stage, sender, member):
        first, again = sender.send(1, [a_row(member)]), sender.send(1, [a_row(member)])
        assert (first.status_code, again.status_code) == (202, 200)
        assert first.json()["receipt"] == again.json()["receipt"]
        assert stage.counted("exchange_batches") == 1
        stage.applied("disabled", 1)
        told = sender.receipt(1).json()
        assert (told["status"], told["counts"]["applied"], told["outcomes"]) == ("applied", 1, {})
        assert sender.send(1, [a_row(member)]).json() == told

    def test_other_content_under_a_used_number_is_refused(self, stage, sender, member):
        sender.send(1, [a_row(member)])
        answer = sender.send(1, [a_row(member, level="一级")])
        assert (answer.status_code, answer.json()["code"]) == (409, "NumberTaken")
        assert stage.counted("exchange_rows") == 1

    def test_numbers_that_were_skipped_are_told_until_they_come(self, sender, member):
        assert sender.send(1, [a_row(member)]).json()["missing"] == []
        assert sender.send(4, [a_row(member)]).json()["missing"] == [2, 3]
        sender.send(2, [a_row(member)])
        assert sender.receipt(4).json()["missing"] == [3]
        assert sender.state().json() == {
            "body": "disabled", "last_number": 4, "missing": [3], "kinds": ["disability"],
        }  # fmt: skip
        assert problems(sender.send(5000, [a_row(member)])) == [(0, "number")]

    def test_a_receipt_nobody_has_is_not_found_and_another_bodys_neither(self, stage, sender, member):
        sender.send(1, [a_row(member)])
        assert sender.receipt(2).status_code == 404
        assert stage.department("tax").receipt(1).status_code == 404
        assert sender.request("GET", f"{BATCHES}/x").status_code == 404


class TestSignature:
    def test_whoever_does_not_sign_rightly_is_refused_in_one_way(self, stage, sender, member):
        content = pack("disabled", 1, [a_row(member)])
        wrong = [
            {HEADER: "0" * 64},
            {HEADER: ""},
            {TIMESTAMP: str(int(sender.now()) + 1)},
            {TIMESTAMP: "9" * 40},
            {NONCE: secrets.token_hex(16)},
            {NONCE: "'; drop table members --"},
            {DIGEST: sha256(b"x").hexdigest()},
            {BODY: "tax"},
            {BODY: "nobody"},
            {BODY: "disabled'"},
        ]
        answers = [sender.request("POST", BATCHES, content, **headers) for headers in wrong]
        answers.append(Department(stage.url, "disabled", "0" * 64).send(1, [a_row(member)]))
        answers.append(sender.request("POST", f"{BATCHES}?x=1", content))
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(401, "SignatureWrong")}
        assert len({answer.text for answer in answers}) == 1
        assert stage.counted("exchange_batches") == 0

    def test_a_request_serves_once_and_only_in_its_time(self, stage, sender, member):
        content = pack("disabled", 1, [a_row(member)])
        head = Head("disabled", str(int(sender.now())), secrets.token_hex(16), sha256(content).hexdigest())
        names = (BODY, TIMESTAMP, NONCE, DIGEST)
        headers = dict(zip(names, (head.body, head.timestamp, head.nonce, head.digest), strict=True))
        headers[HEADER] = signature_of(sender.key, "POST", BATCHES, head)
        sent = [httpx.post(f"{stage.url}{BATCHES}", content=content, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in sent] == [202, 401]
        for late in (-400, 400):
            there = Department(stage.url, "disabled", sender.key, now=lambda late=late: sender.now() + late)
            assert there.state().status_code == 401

    def test_content_that_was_changed_on_the_way_is_refused(self, sender, member):
        content = pack("disabled", 1, [a_row(member)])
        answer = sender.request("POST", BATCHES, content, **{DIGEST: sha256(content).hexdigest()})
        assert answer.status_code == 202
        head = Head("disabled", str(int(sender.now())), secrets.token_hex(16), sha256(content).hexdigest())
        signed = {
            TIMESTAMP: head.timestamp, NONCE: head.nonce, DIGEST: head.digest,
            HEADER: signature_of(sender.key, "POST", BATCHES, head),
        }  # fmt: skip
        answer = sender.request("POST", BATCHES, content + b"{}\n", **signed)
        assert (answer.status_code, answer.json()["code"]) == (400, "DigestWrong")

    def test_a_renewed_key_ends_the_former_and_a_switched_off_interface_refuses(self, stage, sender, county, as_):
        renewed = stage.department("disabled")
        assert (sender.state().status_code, renewed.state().status_code) == (401, 200)
        with as_(county.system_admin) as session:
            body = body_of(session, "disabled")
            exchange.switch(session, body, by=county.system_admin, enabled=False, reason="系统改造")
        answer = renewed.state()
        assert (answer.status_code, answer.json()["code"]) == (403, "InterfaceOff")

    def test_guessing_is_slowed_down_by_address_and_a_body_by_the_minute(self, stage, sender, owner):
        guess = Department(stage.url, "disabled", "0" * 64)
        codes = [guess.state().status_code for _ in range(FAILURES_PER_MINUTE + 1)]
        assert codes == [401] * FAILURES_PER_MINUTE + [429]
        exchange_api.FAILURES = exchange_api.Failures()
        with owner() as session:
            body = body_of(session, "disabled")
            session.connection().exec_driver_sql(
                "insert into exchange_nonces select %s, 'n' || n, clock_timestamp() from generate_series(1, %s) n",
                (body.id, PER_MINUTE),
            )
        answer = sender.state()
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")

    def test_a_session_of_the_console_opens_nothing_here(self, stage):
        for method, path in (("POST", BATCHES), ("GET", STATE), ("GET", f"{BATCHES}/1")):
            answer = httpx.request(method, f"{stage.url}{path}")
            assert (answer.status_code, answer.headers["cache-control"]) == (401, "no-store")


class TestContent:
    def test_every_problem_is_told_by_row_and_field_and_nothing_is_half_received(self, stage, sender, member):
        rows = [
            a_row(member),
            {**a_row(member), "id_number": "150430199001010019"},
            a_row(member, as_of="2024-13-01"),
            a_row(member, as_of="2199-01-01"),
            a_row(member, kind="tax"),
            a_row(member, quantity=3),
            a_row(member, valid_from="2024-02-01", valid_to="2024-01-01"),
            a_row(member, ended="yes"),
            a_row(member, level="级" * 61),
            a_row(member, level="一\u0000级"),
            a_row(member, name="\ud800"),
            a_row(member, name="<script>"),
            a_row(member, extra=1),
        ]
        fields = ["id_number", "as_of", "as_of", "kind", "quantity", "valid_to", "ended", "level", "level", "name"]
        content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        envelope = {"body": "disabled", "number": 1, "rows": len(rows), "digest": sha256(content).hexdigest()}
        answer = sender.request("POST", BATCHES, json.dumps(envelope).encode() + b"\n" + content)
        assert problems(answer) == list(zip(range(2, 14), [*fields, "name", ""], strict=True))
        assert stage.counted("exchange_batches") == stage.counted("exchange_rows") == 0

    def test_no_answer_and_no_log_repeats_personal_data(self, sender, member, caplog, capfd):
        caplog.set_level(logging.DEBUG)
        wrong = {**a_row(member, name="阿古拉密标"), "id_number": "150430199901010018X", "level": "密标" * 40}
        answer = sender.send(1, [wrong, a_row(member, kind="密标种类")])
        assert answer.status_code == 400
        said = answer.text + caplog.text + "".join(capfd.readouterr())
        assert not [word for word in ("密标", "150430199901010018X", member.id_number) if word in said]

    def test_what_the_envelope_declares_is_what_there_must_be(self, sender, member):
        content = pack("disabled", 1, [a_row(member)])
        head, _, rest = content.partition(b"\n")
        said = json.loads(head)

        def changed(**fields: Any) -> httpx.Response:
            return sender.request("POST", BATCHES, json.dumps(said | fields).encode() + b"\n" + rest)

        assert problems(changed(rows=2)) == [(0, "rows")]
        assert problems(changed(rows=MAX_ROWS + 1)) == [(0, "rows")]
        assert problems(changed(digest="0" * 64)) == [(0, "digest")]
        assert problems(changed(number=0)) == [(0, "number")]
        assert problems(changed(number=True)) == [(0, "number")]
        assert problems(changed(number=10**400)) == [(0, "")]
        assert changed(body="tax").json()["code"] == "BodyOther"

    def test_too_big_is_refused_before_it_is_read(self, stage, sender):
        answer = sender.request("POST", BATCHES, b"x" * (MAX_BYTES + 1))
        assert (answer.status_code, answer.json()["code"]) == (413, "TooBig")

    @pytest.mark.parametrize(
        "line",
        [
            b"", b"{", b"[1]", b"null", b'"x"', b"\xff\xfe{}", "{}".encode("utf-16"), b"[" * 4000,
            b'{"number": 1e999999999}', b'{"number": NaN}', b'{"number": ' + b"9" * 4000 + b"}", b'{"a": 1, "a": 2}',
            b"{" + b" " * 5000 + b"}", b"\x00", "{'kind': 1}".encode("gb18030"),
        ],
    )  # fmt: skip
    def test_what_is_no_row_is_a_problem_of_its_row(self, line, database_url, session):
        envelope, rest = read_envelope(_packed(line))
        with pytest.raises(BatchWrong) as wrong:
            read_rows(envelope, rest, DISABILITY, "s", DAY)
        assert [one.row for one in wrong.value.problems] in ([1], [0])


def _packed(*lines: bytes, body: str = "disabled", number: int = 1) -> bytes:
    content = b"".join(line + b"\n" for line in lines)
    head = {"body": body, "number": number, "rows": len(lines), "digest": sha256(content).hexdigest()}
    return json.dumps(head).encode() + b"\n" + content


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("id_number", "name", "kind", "as_of", "number", "level", "quantity", "state", "died_on", "valid_from",
         "valid_to", "ended")  # fmt: skip
GOOD = {"id_number": an_id_number(), "kind": "disability", "as_of": "2024-06-30", "level": "一级"}
SPOILED = st.dictionaries(st.sampled_from(NAMES), ANY, max_size=3).map(lambda wrong: GOOD | wrong)


class TestHostile:
    @given(content=st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_bytes_make_the_interface_fail(self, sender, content):
        assert sender.request("POST", BATCHES, content).status_code == 400

    @given(row=SPOILED)
    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_row_makes_the_reader_fail(self, row, database_url):
        envelope, rest = read_envelope(_packed(json.dumps(row).encode()))
        try:
            (staged,) = read_rows(envelope, rest, frozenset(FactKind), "s", DAY)
        except BatchWrong as wrong:
            assert [one.row for one in wrong.problems] == [1]
        else:
            assert GOOD["id_number"] not in json.dumps(staged)

    @given(row=SPOILED)
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_row_makes_the_interface_fail(self, stage, sender, row):
        content = _packed(json.dumps(row).encode(), body=sender.body, number=stage.counted("exchange_batches") + 1)
        answer = sender.request("POST", BATCHES, content)
        assert answer.status_code in (202, 400), answer.text
