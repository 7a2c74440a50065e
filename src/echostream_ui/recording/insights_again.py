"""Generates insights again, in the background, from a recording's current text."""

import asyncio

from echostream_ui.api_client import ApiClient
from echostream_ui.library.store import Analysis, Store, StoreError
from echostream_ui.library.transcript import lines_of, merged_items, text_of
from echostream_ui.recording.evidence import mapped


def name_of(media_id: str) -> str:
    """The name of the background work."""
    return f"insights {media_id}"


async def make_again(api: ApiClient, store: Store, media_id: str) -> None:
    """Gets insights into the edited text from the API and saves them, with the user's changes to
    the action items. Raises ApiError and StoreError."""
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
    latest = await _analysis(store, media_id)  # the user may have edited it meanwhile
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
    """Returns the language of the text, which is English if it was translated."""
    if analysis.request.get("task") == "translate":
        return "en"
    language: str | None = (analysis.response or {}).get("language")
    return language or None
