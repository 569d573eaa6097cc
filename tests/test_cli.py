"""The command line: every command explains itself, and a refusal is one clear line and an exit code."""

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer

import cli
from models.database import forget_engines
from models.settings import settings
from policies.clock import now
from policies.moves import record_event
from tests import factories
from tests.conftest import As, Owner
from tests.factories import World, a_roster
from tests.workbooks import People, Person, cell, plain

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command in this process; return exit code, output and error output."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["yikatong", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def every_command() -> list[tuple[tuple[str, ...], Any]]:
    return list(commands(typer.main.get_command(cli.app)))


class TestHelp:
    def test_the_commands_are_these(self):
        assert {" ".join(path) for path, _ in every_command()} == {
            "demo", "serve", "worker", "migrate", "story", "import-roster", "import-registry", "bulletin", "banks",
            "check", "journal verify", "audit verify", "audit anchor", "audit public-key", "audit archive",
            "bootstrap", "reset-officer", "sandbox police", "sandbox budget", "sandbox bank", "sandbox advance",
            "sandbox exchange",
            "keys status", "keys rotate", "keys rotate-index", "keys retire",
        }  # fmt: skip

    def test_every_command_shows_an_example_of_itself(self):
        for path, command in every_command():
            assert f"示例：{'YIKATONG_DATABASE_URL=… ' if path == ('serve',) else ''}yikatong {' '.join(path)}" in (command.help or "")  # fmt: skip  # noqa: E501

    def test_every_option_says_what_it_is(self):
        silent = {
            (path, parameter.name)
            for path, command in every_command()
            for parameter in command.params
            if parameter.param_type_name == "option" and parameter.name != "help" and not parameter.help
        }
        assert silent == set()


@pytest.fixture
def people(county: World, owner: Owner) -> People:
    """Four people of the township with verified cards, a stranger and somebody of the next township."""
    with owner() as session:
        factories.a_project(session, county)
        known = tuple(_person(session, county, name) for name in ("王建国", "额尔德尼巴雅尔", "包·乌日汗", "李秀兰"))
        elsewhere = _person(session, county, "陈桂春", township=county.second_township.division_code)
    return People(known, Person("赵无名", factories.an_id_number(), factories.a_card_number()), elsewhere)


def _person(session: sa.orm.Session, world: World, name: str, township: str = "") -> Person:
    home = factories.a_household(session, world, head_name=name, township=township)
    member = factories.a_member(session, world, home, name=name)
    return Person(name, member.id_number, factories.an_account(session, member).number)


class TestImportRoster:
    def arguments(self, world: World, file: Path, **changes: object) -> list[object]:
        options = {"project": "2130122", "township": world.township.division_code, "period": "2026"} | changes
        return ["import-roster", file, *(part for name, value in options.items() for part in (f"--{name}", value))]

    def test_a_sound_workbook_becomes_a_roster(self, county: World, people: People, tmp_path: Path, run: Run, owner: Owner):  # fmt: skip  # noqa: E501
        file = tmp_path / "清册.xlsx"
        file.write_bytes(plain(people))
        code, out, err = run(*self.arguments(county, file))
        assert (code, err) == (0, "")
        assert "已生成清册" in out
        with owner() as session:
            roster = session.execute(sa.text("select status, line_count, prepared_by from rosters")).one()
        assert tuple(roster) == ("draft", 4, county.township.clerk.officer_id)

    def test_problems_are_listed_and_the_marked_workbook_lies_beside_it(
        self, county: World, people: People, tmp_path: Path, run: Run, owner: Owner
    ):
        file = tmp_path / "清册.xlsx"
        file.write_bytes(cell("amount", "-5")(people))
        code, out, err = run(*self.arguments(county, file))
        assert code == 1
        assert "更正办法" in out
        assert err.startswith("错误：清册没有导入")
        assert (tmp_path / "清册-问题标注.xlsx").exists()
        with owner() as session:
            assert session.execute(sa.text("select count(*) from rosters")).scalar_one() == 0

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"project": "9999999"}, "补贴项目库里没有编码“9999999”"),
            ({"township": "150430999000"}, "没有在任的苏木乡镇（街道）经办"),
            ({"period": "去年"}, "补贴所属期“去年”看不懂"),
            ({"period": "2019"}, "没有公布的补贴标准"),
        ],
    )
    def test_what_is_wrong_is_one_line(
        self, county: World, people: People, tmp_path: Path, run: Run, changes: dict[str, str], message: str
    ):
        file = tmp_path / "清册.xlsx"
        file.write_bytes(plain(people))
        code, _, err = run(*self.arguments(county, file, **changes))
        assert code == 1
        assert message in err
        assert err.count("\n") == 1

    def test_a_missing_file_is_said(self, tmp_path: Path, run: Run):
        code, _, err = run(
            "import-roster", tmp_path / "无.xlsx", "--project", "1", "--township", "1", "--period", "2026"
        )
        assert (code, err) == (1, f"错误：没有找到文件 {tmp_path / '无.xlsx'}。\n")

    def test_a_missing_option_is_a_usage_error(self, run: Run):
        code, _, err = run("import-roster", "清册.xlsx")
        assert (code, err) == (2, "错误：参数 --project 缺失或无效；请在命令后加 --help 查看说明和示例\n")

    def test_what_is_no_port_is_said_in_one_line(self, run: Run):
        code, _, err = run("demo", "--port", "abc")
        assert (code, err) == (2, "错误：参数 --port 缺失或无效；请在命令后加 --help 查看说明和示例\n")


class TestVerify:
    def test_sound_books_and_chains_pass(self, county: World, owner: Owner, as_: As, run: Run):
        with owner() as session:
            roster = a_roster(session, county)
        with as_(county.township.clerk) as session:
            record_event(session, roster, "note", by=county.township.clerk, label="备注")
        assert run("journal", "verify")[0] == 0
        code, out, _ = run("audit", "verify")
        assert code == 0
        assert "敖汉旗" in out
        assert "完整" in out

    def test_a_changed_event_fails_and_is_named(self, county: World, owner: Owner, as_: As, run: Run):
        with owner() as session:
            roster = a_roster(session, county)
        with as_(county.township.clerk) as session:
            record_event(session, roster, "note", by=county.township.clerk, label="备注")
        with owner() as session:
            session.execute(sa.text("set local session_replication_role = replica"))
            session.execute(sa.text("update events set opinion = '改'"))
        code, _, err = run("audit", "verify", "--county", county.code)
        assert code == 1
        assert "敖汉旗 第" in err
        assert "被改动" in err

    def test_an_indicator_that_the_journal_does_not_know_fails(self, county: World, owner: Owner, run: Run):
        with owner() as session:
            factories.an_indicator(session, county, factories.a_project(session, county))
        code, out, err = run("journal", "verify")
        assert code == 1
        assert "指标" in out
        assert err.startswith("错误：账目有 2 处不符")


class TestOperation:
    def test_migrating_again_changes_nothing(self, county: World, run: Run):
        assert run("migrate")[:2] == (0, "数据库结构已是最新，基础数据已装入。\n")

    def test_the_clock_moves_by_working_days(self, county: World, owner: Owner, run: Run):
        with owner() as session:
            before = now(session)
        code, out, _ = run("sandbox", "advance", "--working-days", 3)
        with owner() as session:
            after = now(session)
        assert code == 0
        assert after - before > timedelta(days=2)
        assert f"{after:%Y-%m-%d}" in out

    def test_the_clock_is_fixed_in_production(self, county: World, owner: Owner, run: Run):
        with owner() as session:
            session.execute(sa.text("update business_clock set movable = false"))
        code, _, err = run("sandbox", "advance")
        assert code == 1
        assert "业务时钟只能在演示和测试环境" in err

    def test_a_bulletin_is_written(self, county: World, owner: Owner, tmp_path: Path, run: Run):
        with owner() as session:
            year = now(session).year
        file = tmp_path / "通报.xlsx"
        code, _, err = run("bulletin", "--from", f"{year}-01-01", "--to", f"{year}-12-31", "--out", file)
        assert (code, err) == (0, "")
        assert file.read_bytes().startswith(b"PK")

    def test_this_installation_is_looked_at(self, county: World, run: Run):
        code, out, _ = run("check")
        assert code == 0
        assert "✗" not in out

    def test_production_wants_more(self, county: World, run: Run):
        code, out, err = run("check", "--deploy")
        assert code == 1
        assert "✗ 运行模式为 production" in out
        assert "✗ 会话 Cookie 只经 HTTPS 发送" in out
        assert "✗ 已用 YIKATONG_PUBLIC_URL 登记对外的 HTTPS 地址" in out
        assert "✗ 审计锚点写在数据目录之外" in out
        assert err.startswith("错误：有 ")


@pytest.fixture
def nowhere(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that doesn't exist yet, and no database in the settings."""
    home = tmp_path / "data"
    monkeypatch.delenv("YIKATONG_DATABASE_URL")
    monkeypatch.setenv("YIKATONG_DATA", str(home))
    settings.cache_clear()
    forget_engines()
    return home


class TestWithoutDatabase:
    def test_the_remedy_is_named(self, nowhere: Path, run: Run):
        code, _, err = run("journal", "verify")
        assert code == 1
        assert "make demo" in err

    def test_a_folder_of_somebody_else_is_neither_used_nor_deleted(self, nowhere: Path, run: Run):
        nowhere.mkdir()
        (nowhere / "年报.docx").write_text("x")
        for arguments in (("demo",), ("demo", "--reset")):
            code, _, err = run(*arguments)
            assert code == 1
            assert str(nowhere) in err
        assert (nowhere / "年报.docx").exists()

    def test_accounts_are_there_only_after_a_first_start(self, nowhere: Path, run: Run):
        code, _, err = run("demo", "--accounts")
        assert code == 1
        assert "make demo" in err

    def test_deleting_nothing_is_no_failure(self, nowhere: Path, run: Run):
        assert run("demo", "--reset")[0] == 0

    @pytest.mark.parametrize(("name", "value"), [("YIKATONG_MODE", "prod"), ("YIKATONG_PORT", "http")])
    def test_a_wrong_setting_is_named(self, nowhere: Path, monkeypatch: pytest.MonkeyPatch, run: Run, name: str, value: str):  # fmt: skip  # noqa: E501
        monkeypatch.setenv(name, value)
        settings.cache_clear()
        code, _, err = run("demo", "--accounts")
        assert code == 1
        assert f"环境变量 {name}={value} 无效" in err

    def test_a_server_that_does_not_answer_is_one_line(self, nowhere: Path, monkeypatch: pytest.MonkeyPatch, run: Run):
        monkeypatch.setenv("YIKATONG_DATABASE_URL", f"postgresql+psycopg://postgres@/none?host={nowhere}")
        settings.cache_clear()
        code, _, err = run("audit", "verify")
        assert code == 1
        assert err.count("\n") == 1
        assert "数据库" in err
