"""The controls for the options of a transcription."""

from dataclasses import replace

import streamlit as st

from echostream_ui.api_client import Options
from echostream_ui.library.values import Json
from echostream_ui.recording import model_choice, speakers, template_choice
from echostream_ui.recording.insights_again import Wanted
from echostream_ui.services import services
from echostream_ui.words.languages import NAMES

NOT_KEPT = ("recordedAt",)
"""Options that are about one recording, and not for the next one."""


def ask(key: str) -> Json:
    """Shows the controls; returns the options under the names that the API uses."""
    st.session_state.setdefault(f"{key}_insights", True)
    left, right = st.columns(2)
    spoken = left.selectbox(
        "Language",
        sorted(NAMES, key=NAMES.__getitem__),
        index=None,
        format_func=NAMES.__getitem__,
        placeholder="Detect",
        key=f"{key}_language",
        persist_state="session",
    )
    translate = right.toggle(
        "Translate into English", key=f"{key}_translate", persist_state="session"
    )
    insights = right.toggle("Generate insights", key=f"{key}_insights", persist_state="session")
    who = speakers.ask(left, f"{key}_speakers")
    wanted = Wanted()
    if insights:
        wanted = template_choice.ask(*st.columns(2), Wanted(), key=key)
        wanted = replace(wanted, model=model_choice.ask(None, key=f"{key}-insights-model"))
    vocabulary = st.text_input(
        "Names and terms that are likely to be said",
        max_chars=2000,
        key=f"{key}_prompt",
        persist_state="session",
        placeholder="EchoStream, Mrs Petrova, quarterly review",
    )
    offered = services().models
    # While the API is away nobody knows what it offers: then it stays as it was set.
    model = None if offered else st.session_state.get(f"{key}_model")
    if len(offered) > 1:
        model = st.selectbox("Model", offered, key=f"{key}_model", persist_state="session")
    return Options(
        language=spoken,
        task="translate" if translate else "transcribe",
        prompt=vocabulary or None,
        insights=insights,
        model=model,
        template=wanted.template,
        insights_language=wanted.language,
        insights_model=wanted.model,
        **who,
    ).as_json()


def put(key: str, request: Json) -> None:
    """Sets the controls to the options of an earlier request. Call it before `ask`. What the API no
    longer offers is left to its default."""
    state = st.session_state
    language, model = request.get("language"), request.get("model")
    state[f"{key}_language"] = language if language in NAMES else None
    state[f"{key}_translate"] = request.get("task") == "translate"
    state[f"{key}_insights"] = request.get("insights", True)
    state[f"{key}_prompt"] = request.get("prompt") or ""
    offered = services().models
    if offered or model:
        state[f"{key}_model"] = model if model in offered or not offered else offered[0]
    speakers.put(f"{key}_speakers", request)
    wanted = Wanted.before(request)
    template_choice.put(key, wanted)
    model_choice.put(f"{key}-insights-model", wanted.model)
