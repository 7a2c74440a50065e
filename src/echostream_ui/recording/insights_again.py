"""Generates insights again, in the background, from a recording's current text."""

import asyncio
from dataclasses import dataclass

from echostream_ui.api_client import ApiClient
from echostream_ui.library.action_items import merged_items
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.transcript import segments_of, title_of
from echostream_ui.library.values import Json
from echostream_ui.library.written_insights import after_replacing


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for (a template as the API has it), the language to write in, and the model that
    writes. None leaves the choice to the API: its default template, the language of the recording,
    and its default model."""

    template: Json | None = None
    language: str | None = None
    model: str | None = None

    @classmethod
    def before(cls, request: Json) -> "Wanted":
        """What an earlier request asked for."""
        return cls(
            request.get("template"), request.get("insightsLanguage"), request.get("insightsModel")
        )


def name_of(media_id: str) -> str:
    """The name of the background work."""
    return f"insights {media_id}"


async def make_again(api: ApiClient, store: Store, media_id: str, wanted: Wanted) -> None:
    """Gets insights into the edited text from the API and saves them, with the user's changes to
    the action items. Raises ApiError and StoreError."""
    analysis = await _analysis(store, media_id)
    asked = {
        "template": wanted.template,
        "language": wanted.language,
        "insightsModel": wanted.model,
        "recordedAt": analysis.request.get("recordedAt"),
    }
    insights = await api.insights({"segments": segments_of(analysis)} | asked)
    insights["speakers"] = dict(analysis.speakers)  # `library.names` needs what they were called
    latest = await _analysis(store, media_id)  # the user may have edited it meanwhile
    if latest.response != analysis.response:
        raise StoreError("The recording has another transcript by now, so these were not kept.")
    insights = after_replacing(insights, latest)
    items = merged_items(insights, latest)
    request = latest.request | {
        "template": wanted.template,
        "insightsLanguage": wanted.language,
        "insightsModel": wanted.model,
    }
    await asyncio.to_thread(
        lambda: store.update_analysis(
            media_id, insights=insights, action_items=items, request=request
        )
    )
    await asyncio.to_thread(_name, store, media_id, title_of(insights))


def _name(store: Store, media_id: str, title: str | None) -> None:
    """Gives a recording its first title; one that somebody or a model gave it stays."""
    media = store.media(media_id)
    if title and media is not None and media.title == media.source_name:
        store.update_media(media_id, title=title)


async def _analysis(store: Store, media_id: str) -> Analysis:
    analysis = await asyncio.to_thread(store.analysis, media_id)
    if analysis is None:
        raise StoreError("The recording has been deleted meanwhile.")
    return analysis
