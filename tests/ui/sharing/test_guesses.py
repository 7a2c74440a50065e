"""How many wrong links one address may try."""

import pytest

from echostream_ui.sharing.guesses import Guesses


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_an_address_waits_after_too_many_wrong_links() -> None:
    clock = Clock()
    guesses = Guesses(3, clock)
    for _ in range(3):
        assert guesses.wait_s("192.0.2.1") == 0
        guesses.count("192.0.2.1")
    assert guesses.wait_s("192.0.2.1") == pytest.approx(60)
    assert guesses.wait_s("192.0.2.2") == 0
    clock.now_s += 61
    assert guesses.wait_s("192.0.2.1") == 0
    guesses.count("192.0.2.1")
    assert guesses.wait_s("192.0.2.1") == 0


def test_all_addresses_of_one_home_count_together() -> None:
    guesses = Guesses(2)
    guesses.count("2001:db8:1:2::1")
    guesses.count("2001:db8:1:2:ffff::9")
    assert guesses.wait_s("2001:db8:1:2::7") > 0
    assert guesses.wait_s("2001:db8:1:3::7") == 0


def test_addresses_of_ipv4_do_not_count_together_however_they_are_written() -> None:
    guesses = Guesses(1)
    guesses.count("::ffff:192.0.2.1")
    assert guesses.wait_s("192.0.2.1") > 0
    assert guesses.wait_s("::ffff:192.0.2.2") == 0


def test_many_addresses_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echostream_ui.sharing.guesses._MOST_ADDRESSES", 10)
    guesses = Guesses(1)
    for number in range(100):
        guesses.count(f"192.0.2.{number}")
        assert len(guesses._wrong) <= 10
    assert guesses.wait_s("192.0.2.99") > 0
