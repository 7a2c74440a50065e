"""What clients of live audio are told over Socket.IO: the JSON of each event."""

from typing import Any

from echostream.domain import ActionItem, Details, Point, Stage, Step
from echostream.schema import InsightsShape, SegmentShape, SpeakerShape, WarningShape
from echostream.streaming import Event, Final, InsightsSoFar, Partial

_OF_FINAL_PASS: dict[Stage, tuple[int, int]] = {"transcribing": (0, 90), "diarizing": (90, 10)}
"""Start and size of each stage, in percent of the final pass."""


def shape_of(audio_id: str | None, event: Event) -> tuple[str, dict[str, Any]]:
    """Returns the name of the event for clients, and its data."""
    if isinstance(event, Partial):
        return "partial_transcript", _partial(audio_id, event)
    if isinstance(event, InsightsSoFar):
        return "insights_update", _insights(audio_id, event)
    if isinstance(event, Step):
        return "audio_progress", _progress(audio_id, event)
    if isinstance(event, Final):
        return "audio_final", _final(audio_id, event)
    return "audio_error", {"audioId": audio_id, "error": event.code, "message": str(event)}


def _partial(audio_id: str | None, partial: Partial) -> dict[str, Any]:
    of_channel = {"channel": partial.channel, "speaker": partial.speaker}
    return {
        "text": partial.text,
        "audioId": audio_id,
        "start": round(partial.start_s, 3),
        "end": round(partial.end_s, 3),
        "seq": partial.seq,
        "tentative": partial.tentative,
        "lagMs": partial.lag_ms,
        "labels": [{"seq": each.seq, "speaker": each.speaker} for each in partial.labels],
        **(of_channel if partial.channel is not None else {}),
    }


def _insights(audio_id: str | None, found: InsightsSoFar) -> dict[str, Any]:
    insights = InsightsShape.of(found.insights).model_dump()
    details = insights["details"]
    for name, ids in (
        ("action_items", found.action_item_ids),
        ("decisions", found.decision_ids),
    ):
        details[name] = [
            {**item, "id": number} for item, number in zip(details[name], ids, strict=True)
        ]
    evidence = _evidence(found.insights.details)
    places = [
        {"id": one.id, "start": round(one.start_s, 3), "end": round(one.end_s, 3)}
        for one in found.said.segments
        if one.id in evidence
    ]
    return {"audioId": audio_id, "insights": insights, "segments": places}


def _evidence(details: Details) -> set[int]:
    """The segments that statements refer to. A client has no other way to learn their times."""
    statements: tuple[Point | ActionItem, ...] = (
        *details.key_points,
        *details.decisions,
        *details.questions,
        *details.action_items,
        *(point for section in details.sections for point in section.items),
    )
    return {number for each in statements for number in each.evidence}


def _progress(audio_id: str | None, step: Step) -> dict[str, Any]:
    start, width = _OF_FINAL_PASS[step.stage]
    return {
        "audioId": audio_id,
        "stage": step.stage,
        "progress": start + int(width * step.share),
        "secondsLeft": None if step.left_s is None else max(0, round(step.left_s)),
    }


def _final(audio_id: str | None, final: Final) -> dict[str, Any]:
    transcript = final.transcript
    shape: dict[str, Any] = {"audioId": audio_id}
    if final.error is not None:
        shape |= {"error": final.error.code, "message": str(final.error)}
    return shape | {
        "transcript": transcript.text,
        "liveTranscript": final.live_text,
        "revised": final.is_revised,
        "insights": InsightsShape.of(final.insights).model_dump() if final.insights else None,
        "segments": [SegmentShape.of(one).model_dump() for one in transcript.segments],
        "speakers": [SpeakerShape.of(one).model_dump() for one in transcript.speakers],
        "language": transcript.language,
        "languages": list(transcript.languages),
        "warnings": [WarningShape.of(one).model_dump() for one in transcript.warnings],
        "duration": round(transcript.duration_s, 3),
        "engine": transcript.engine,
        "model": transcript.model,
    }
