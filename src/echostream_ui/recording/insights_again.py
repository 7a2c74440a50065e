"""Insights made again from a recording's text as it is now, in the background."""

import asyncio

from echostream_ui.api_client import ApiClient
from echostream_ui.library.store import Analysis, Store, StoreError
from echostream_ui.library.transcript import lines_of, merged_items, text_of
from echostream_ui.recording.evidence import mapped


def name_of(media_id: str) -> str:
    """What the work is called in the background."""
    return f"insights {media_id}"


async def make_again(api: ApiClient, store: Store, media_id: str) -> None:
    """Ask the API for insights into the edited text and keep them, with what the user did to the
    action items. Raises ApiError and StoreError."""
    analysis = await _analysis(store, media_id)
    response = analysis.response or {}
    text = text_of(response, analysis.edits)
    answer = await api.insights(text, _language(analysis))
    if answer.get("insights") is None:
        raise StoreError(
            "The API makes no insights.", "Set its `INSIGHTS_PROVIDER` to something but `none`."
        )
    lines = lines_of(response, analysis.edits, {})
    insights = mapped(answer["insights"], answer.get("segments", []), lines)
    latest = await _analysis(store, media_id)  # the user may have gone on meanwhile
    items = merged_items(insights, latest.action_items, latest.insights)
    await asyncio.to_thread(
        lambda: store.update_analysis(media_id, insights=insights, action_items=items)
    )


async def _analysis(store: Store, media_id: str) -> Analysis:
    analysis = await asyncio.to_thread(store.analysis, media_id)
    if analysis is None:
        raise StoreError("The recording has been deleted meanwhile.")
    return analysis


def _language(analysis: Analysis) -> str | None:
    """Of the text, which a translation has in English."""
    if analysis.request.get("task") == "translate":
        return "en"
    language: str | None = (analysis.response or {}).get("language")
    return language or None
