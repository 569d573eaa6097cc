"""`yikatong keys …`: status, rotation, retirement; a refusal says what to do. （第三十条）"""

import sys

import pytest

import cli
from policies.refusals import Refused
from tests.test_keys import own_keys, people  # noqa: F401 - fixtures
from workflows import index_keys, keys


class TestCommands:
    @pytest.fixture
    def run(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
        def run(*arguments: str) -> tuple[int, str]:
            monkeypatch.setattr(sys, "argv", ["yikatong", "keys", *arguments])
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                cli.main()
            out, err = capsys.readouterr()
            return int(ended.value.code or 0), out + err

        return run

    def test_rotate_retire_rotate_index_and_status(self, request: pytest.FixtureRequest, run):
        registered = request.getfixturevalue("people")
        assert run("rotate")[0] == 0
        code, said = run("retire", "1")
        assert (code, "--yes" in said) == (1, True)
        assert run("retire", "1", "--yes")[0] == 0
        assert run("rotate-index")[0] == 0
        code, said = run("status")
        assert code == 0
        assert "索引第 2 代" in said
        assert "使用中" in said
        assert not any(member.id_number in said for member in registered)

    @pytest.mark.usefixtures("people")
    def test_a_refusal_is_one_line(self, run):
        code, said = run("retire", "1", "--yes")
        assert (code, said.startswith("错误：密钥 1 正用于加密新内容")) == (1, True)


def test_every_refusal_of_keys_says_what_to_do():
    found = [one for module in (keys, index_keys) for one in vars(module).values()
             if isinstance(one, type) and issubclass(one, Refused) and one is not Refused]  # fmt: skip
    assert all("请" in (one.__doc__ or "") or "执行" in (one.__doc__ or "") for one in found)
