"""How long the next try at the password has to wait."""

import pytest

from echostream_ui.door import attempts
from echostream_ui.door.attempts import OF_ALL, OF_AN_ADDRESS, Attempts


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def wrong(tries: Attempts, address: str, times: int = 1) -> None:
    for _ in range(times):
        tries.begin(address)


def test_the_pause_grows_to_a_bound_and_passes() -> None:
    clock = Clock()
    tries = Attempts(clock)
    pauses = []
    for _ in range(14):
        wrong(tries, "192.0.2.1")
        pauses.append(tries.left_s("192.0.2.1"))
        clock.now_s += pauses[-1]
        assert tries.left_s("192.0.2.1") == 0.0
    assert pauses == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_others_are_not_held_up_by_a_few_of_one_address() -> None:
    tries = Attempts(Clock())
    wrong(tries, "192.0.2.1", OF_AN_ADDRESS.free + 3)
    assert tries.left_s("192.0.2.1") == 8.0
    assert tries.left_s("192.0.2.2") == 0.0


def test_many_addresses_together_are_slowed_down_but_not_who_was_here() -> None:
    clock = Clock()
    tries = Attempts(clock)
    tries.begin("198.51.100.7")
    tries.succeed("198.51.100.7")
    for number in range(OF_ALL.free + 9):
        wrong(tries, f"192.0.2.{number}")
    assert tries.left_s("203.0.113.1") == OF_ALL.longest_s
    assert tries.left_s("198.51.100.7") == 0.0
    clock.now_s += OF_ALL.longest_s
    assert tries.left_s("203.0.113.1") == 0.0


def test_who_gets_in_begins_anew_and_wrong_ones_are_forgotten() -> None:
    clock = Clock()
    tries = Attempts(clock)
    wrong(tries, "192.0.2.1", 6)
    clock.now_s += 3599
    wrong(tries, "192.0.2.1")
    assert tries.left_s("192.0.2.1") == 4.0
    clock.now_s += 3600
    wrong(tries, "192.0.2.1", OF_AN_ADDRESS.free - 1)
    assert tries.left_s("192.0.2.1") == 0.0
    wrong(tries, "192.0.2.1", 2)
    assert tries.left_s("192.0.2.1") == 2.0
    tries.succeed("192.0.2.1")
    wrong(tries, "192.0.2.1")
    assert tries.left_s("192.0.2.1") == 0.0


def test_right_ones_hold_up_nobody_and_take_nothing_from_the_wrong_ones() -> None:
    tries = Attempts(Clock())
    tries.succeed("192.0.2.1")
    for number in range(2 * OF_ALL.free):
        tries.begin(f"192.0.2.{number}")
        tries.succeed(f"192.0.2.{number}")
    for number in range(OF_ALL.free - 1):
        wrong(tries, f"198.51.100.{number}")
    tries.begin("192.0.2.1")
    tries.succeed("192.0.2.1")
    assert tries.left_s("203.0.113.1") == 0.0
    wrong(tries, "198.51.100.99")
    assert tries.left_s("203.0.113.1") == 1.0


def test_an_ipv6_client_is_its_network() -> None:
    tries = Attempts(Clock())
    for number in range(8):
        wrong(tries, f"2001:db8::{number}")
    assert tries.left_s("2001:db8::ffff") > 0.0
    assert tries.left_s("2001:db8:0:1::1") == 0.0


def test_a_flood_of_addresses_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_MOST_ADDRESSES", 20)
    tries = Attempts(Clock())
    for number in range(100):
        tries.begin(f"192.0.2.{number}")
        tries.succeed(f"198.51.100.{number}")
    assert len(tries._of) == len(tries._trusted) == 20
    tries.succeed("198.51.100.80")
    for number in range(10):
        tries.succeed(f"198.51.100.{number}")
    assert "198.51.100.80" in tries._trusted, "whoever came last stays longest"
