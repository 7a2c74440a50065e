"""How long to fuzz, and what counts as a find."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st


def share(of: int) -> settings:
    """One part of so many of the examples that the profile has: few in the usual tests (the same
    each time), many new ones in `make fuzz`."""
    return settings(
        max_examples=max(1, settings().max_examples // of),
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def without_faults() -> Iterator[None]:
    """What is done meanwhile must not be logged as an error of ours. An unknown session is one to
    Engine.IO, but a client's."""
    faults: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info or record.name != "engineio.server":
                faults.append(self.format(record))

    handler = Collecting(logging.ERROR)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
    assert faults == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=8,
)


def mangled(whole: bytes) -> st.SearchStrategy[bytes]:
    """Bytes with some replaced, some left out, and some of them twice."""
    places = st.integers(0, max(0, len(whole) - 1))

    def apply(changes: list[tuple[str, int, int, bytes]]) -> bytes:
        data = whole
        for kind, begin, length, new in changes:
            begin = min(begin, len(data))
            end = begin + length
            if kind == "replace":
                data = data[:begin] + new + data[begin + len(new) :]
            elif kind == "remove":
                data = data[:begin] + data[end:]
            elif kind == "repeat":
                data = data[:end] + data[begin:end] + data[end:]
            else:
                data = data[:begin]
        return data

    kinds = st.sampled_from(["replace", "replace", "replace", "remove", "repeat", "cut"])
    change = st.tuples(kinds, places, st.integers(1, 64), st.binary(min_size=1, max_size=8))
    return st.lists(change, min_size=1, max_size=6).map(apply)
