"""A recording that was transcribed again keeps what the user had said about it, where that fits."""

from typing import Any

from echostream_ui.library.analysis import ActionItem, Analysis
from echostream_ui.library.renewed import carried_names, renewed


def spoken(*turns: tuple[str | None, float, float]) -> dict[str, Any]:
    return {
        "segments": [
            {"id": place, "start": start, "end": end, "text": "words", "speaker": speaker}
            for place, (speaker, start, end) in enumerate(turns)
        ]
    }


def names(before: dict[str, Any], given: dict[str, str], after: dict[str, Any]) -> dict[str, str]:
    return carried_names(Analysis("1", {}, before, speakers=given), after)


def test_a_name_follows_the_voice_to_another_letter() -> None:
    before = spoken(("A", 0, 10), ("B", 10, 20), ("A", 20, 30))
    after = spoken(("A", 0.2, 1), ("B", 1, 10.5), ("C", 10.5, 19.8), ("B", 20, 30))
    assert names(before, {"A": "Ann", "B": "Bo"}, after) == {"B": "Ann", "C": "Bo"}
    assert names(before, {"B": "Bo"}, after) == {"C": "Bo"}


def test_a_name_goes_to_nobody_where_it_does_not_fit() -> None:
    before = spoken(("A", 0, 10), ("B", 10, 20))
    given = {"A": "Ann", "B": "Bo"}
    assert names(before, given, spoken((None, 0, 20))) == {}, "nobody is told apart now"
    assert names(spoken((None, 0, 20)), given, before) == {}, "nobody was"
    assert names(before, given, spoken(("A", 12, 40))) == {}, "mostly somebody else"
    one = names(before, given, spoken(("A", 0, 20)))
    assert one == {}, "two people at once are neither"
    two = names(spoken(("A", 0, 20)), {"A": "Ann"}, spoken(("A", 0, 8), ("B", 8, 20)))
    assert two == {"B": "Ann"}, "one of two gets it, the one who speaks longer"


def test_changed_action_items_stay_and_edits_do_not() -> None:
    def insights(*texts: str) -> dict[str, Any]:
        items = [{"text": text, "evidence": [7]} for text in texts]
        return {"topics": [], "details": {"action_items": items}}

    before = Analysis(
        "1",
        {"language": "en"},
        spoken(("A", 0, 1)) | {"insights": insights("Write it.", "Send it.", "Forget it.")},
        insights("Write it.", "Send it.", "Forget it."),
        edits={0: "Words"},
        action_items=(
            ActionItem("Write it.", done=True, evidence=(1,)),
            ActionItem("Send it.", owner="Ann", evidence=(2,)),
            ActionItem("Forget it.", evidence=(7,)),
        ),
    )
    after = renewed(
        before, {"language": "de"}, spoken(("A", 0, 1)) | {"insights": insights("write it.")}
    )
    assert (after.request, after.edits) == ({"language": "de"}, {})
    assert after.action_items == (
        ActionItem("Write it.", done=True, evidence=(7,)),
        ActionItem("Send it.", owner="Ann", evidence=()),
    )
    assert renewed(before, {}, spoken()).insights is None
