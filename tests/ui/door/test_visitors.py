"""Cookies of the door: who has one is let in, until it expires or they sign out."""

import asyncio
import stat
import time
from pathlib import Path

import pytest

from echostream_ui.door import visitors as door
from echostream_ui.door.visitors import Visitors


def test_a_cookie_holds_over_a_restart_but_not_with_another_password(tmp_path: Path) -> None:
    cookie = Visitors(tmp_path, "one password").admit()
    assert Visitors(tmp_path, "one password").find(cookie) is not None
    assert Visitors(tmp_path, "another password").find(cookie) is None
    assert Visitors(tmp_path / "elsewhere", "one password").find(cookie) is None


@pytest.mark.parametrize("cookie", [None, "", "a", "a.b.c", "ü.b.c", "\x00"])
def test_what_is_no_cookie_of_ours(tmp_path: Path, cookie: str | None) -> None:
    assert Visitors(tmp_path, "a password").find(cookie) is None


def test_a_changed_cookie_is_void(tmp_path: Path) -> None:
    visitors = Visitors(tmp_path, "a password")
    cookie = visitors.admit()
    name, since, signature = cookie.split(".")
    for changed in (f"x{name}.{since}.{signature}", f"{name}.{since[::-1]}.{signature}"):
        assert visitors.find(changed) is None


def test_a_cookie_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    visitors = Visitors(tmp_path, "a password")
    cookie = visitors.admit()
    visitor = visitors.find(cookie)
    assert visitor is not None
    assert visitor.until_s == pytest.approx(time.time() + door.LASTS_S, abs=60)
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + door.LASTS_S + 2)
    assert visitors.find(cookie) is None


async def test_signing_out_voids_all_copies_and_ends_what_is_open(tmp_path: Path) -> None:
    visitors = Visitors(tmp_path, "a password")
    mine, other = visitors.admit(), visitors.admit()
    visitor = visitors.find(mine)
    assert visitor is not None
    with visitors.watched(visitor) as ended:
        visitors.sign_out(visitor)
        await asyncio.wait_for(ended.wait(), 1)
    again = Visitors(tmp_path, "a password")  # as after a restart
    and_again = Visitors(tmp_path, "a password")
    for each in (visitors, again, and_again):
        assert each.find(mine) is None
        assert each.find(other) is not None


async def test_one_of_several_that_are_open_may_close(tmp_path: Path) -> None:
    visitors = Visitors(tmp_path, "a password")
    visitor = visitors.find(visitors.admit())
    assert visitor is not None
    with visitors.watched(visitor) as ended:
        with visitors.watched(visitor) as closed:
            pass
        visitors.sign_out(visitor)
        assert ended.is_set()
        assert not closed.is_set()
    assert not visitors._open


def test_only_what_would_still_hold_is_kept_of_who_has_signed_out(tmp_path: Path) -> None:
    Visitors(tmp_path, "a password")
    file = tmp_path / "signed-out"
    later = time.time() + 60
    file.write_text(f"gone 1.5\nhalf\na b\nc 1.2.3\nd {later}\n\ne {int(later)}\n")
    Visitors(tmp_path, "a password")
    assert file.read_text() == f"d {later}\ne {float(int(later))}\n"


def test_a_password_may_have_half_a_character(tmp_path: Path) -> None:
    visitors = Visitors(tmp_path, "a password\ud800")
    assert visitors.find(visitors.admit()) is not None


def test_the_key_is_private_and_kept(tmp_path: Path) -> None:
    Visitors(tmp_path / "door", "a password")
    key = (tmp_path / "door" / "key").read_bytes()
    Visitors(tmp_path / "door", "a password")
    assert (tmp_path / "door" / "key").read_bytes() == key
    modes = {file.name: stat.filemode(file.stat().st_mode) for file in tmp_path.rglob("*")}
    assert modes == {"door": "drwx------", "key": "-rw-------", "signed-out": "-rw-------"}


def test_a_damaged_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(OSError, match="damaged"):
        Visitors(tmp_path, "a password")
