"""Reading the environment: numbers within their bounds, words out of a list, and the mistake said in plain words."""

import os


class SettingWrong(Exception):
    """A setting in the environment can't be used; the message names it and the remedy."""


def number(name: str, default: int, low: int, high: int) -> int:
    """Return a whole number. Raises SettingWrong."""
    text = os.environ.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 12) or not low <= int(text) <= high:
        raise SettingWrong(f"环境变量 {name}={text} 无效：请填写 {low}–{high} 的整数")
    return int(text)


def one_of(name: str, default: str, words: tuple[str, ...]) -> str:
    """Return one of the words. Raises SettingWrong."""
    text = os.environ.get(name, default)
    if text not in words:
        raise SettingWrong(f"环境变量 {name}={text} 无效：只能是 {'、'.join(words)}")
    return text


def words(name: str, default: str = "") -> tuple[str, ...]:
    """Return the words of a comma-separated list."""
    return tuple(word.strip() for word in os.environ.get(name, default).split(",") if word.strip())
