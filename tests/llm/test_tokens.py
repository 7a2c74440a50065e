"""Bounds on the number of tokens."""

from hypothesis import given, settings
from hypothesis import strategies as st

from echostream.llm.tokens import fewest_tokens, most_tokens


@settings(deadline=None)
@given(st.text())
def test_token_bounds_enclose(text: str) -> None:
    assert fewest_tokens(text) <= most_tokens(text)
