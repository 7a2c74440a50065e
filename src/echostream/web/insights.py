"""Insights and answers without audio, from transcripts that clients send."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from echostream.domain import Template
from echostream.errors import (
    AnswerFailed,
    EchoStreamError,
    InsightsOff,
    InvalidRequest,
    NoLanguageModel,
    ServerBusy,
    Unauthorized,
)
from echostream.insights.questions import Question, Questions, Reply
from echostream.schema import InsightsShape, MetaShape, SegmentShape
from echostream.templates import BUILT_IN
from echostream.web.answers import json_answer
from echostream.web.auth import require_token
from echostream.web.deps import ServicesDep
from echostream.web.describe import errors, json_body_of
from echostream.web.events import event_stream, sse
from echostream.web.given import AskFields, InsightsFields
from echostream.web.metrics import Metrics
from echostream.web.uploads import read_json
from echostream.web.work import with_request

router = APIRouter(tags=["insights"], dependencies=[Depends(require_token)])


class TemplateSectionShape(BaseModel):
    key: str
    title: str
    instructions: str


class TemplateShape(BaseModel):
    name: str
    title: str
    instructions: str
    sections: list[TemplateSectionShape]

    @classmethod
    def of(cls, template: Template) -> "TemplateShape":
        return cls(
            name=template.name,
            title=template.title,
            instructions=template.instructions,
            sections=[
                TemplateSectionShape(key=each.key, title=each.title, instructions=each.instructions)
                for each in template.sections
            ],
        )


class TemplatesShape(BaseModel):
    """The answer of `/insights/templates`."""

    default: str = Field(description="The one of insights that name none.")
    templates: list[TemplateShape]


class InsightsModelShape(BaseModel):
    name: str = Field(description="What `insightsModel` may name.")
    provider: str = Field(description="As `meta.provider` has it.")


class InsightsModelsShape(BaseModel):
    """The answer of `/insights/models`."""

    default: str | None = Field(
        description="The one of requests that name none; null if this server makes no insights."
    )
    models: list[InsightsModelShape] = Field(description="The default first.")


class InsightsAnswerShape(BaseModel):
    """The answer of `/insights`."""

    success: Literal[True] = True
    insights: InsightsShape
    segments: list[SegmentShape] = Field(
        description="A given `transcript` in pieces, whose ids the evidence refers to; empty where"
        " segments were given."
    )


class SourceShape(BaseModel):
    recording: str | None = Field(None, description="Absent where only segments were given.")
    segment: int


class ReplyShape(BaseModel):
    """The answer of `/ask`, and the last event of its stream."""

    answer: str = Field(
        description="Marks such as `[1]` refer to the first, second, … of `evidence`."
    )
    evidence: list[SourceShape]
    found: bool = Field(
        description="Whether the recordings hold the answer. False if nothing bears it out."
    )
    meta: MetaShape

    @classmethod
    def of(cls, reply: Reply) -> "ReplyShape":
        return cls(
            answer=reply.text,
            evidence=[
                SourceShape(recording=each.recording, segment=each.segment)
                for each in reply.evidence
            ],
            found=bool(reply.evidence),
            meta=MetaShape.of(reply.meta),
        )

    def json_text(self) -> str:
        alone = all(each.recording is None for each in self.evidence)
        left_out: Any = {"evidence": {"__all__": {"recording"}}} if alone else None
        return self.model_dump_json(exclude=left_out)


@router.get("/insights/templates", responses=errors(Unauthorized))
async def templates(services: ServicesDep) -> TemplatesShape:
    """What insights can look for, by the kind of recording."""
    return TemplatesShape(
        default=services.settings.insights_template,
        templates=[TemplateShape.of(template) for template in BUILT_IN.values()],
    )


@router.get("/insights/models", responses=errors(Unauthorized))
async def models(services: ServicesDep) -> InsightsModelsShape:
    """What can generate insights here. `offline` quotes, and needs no language model."""
    offered = services.pipeline.insights.offered
    return InsightsModelsShape(
        default=next(iter(offered), None),
        models=[
            InsightsModelShape(name=name, provider=provider.name)
            for name, provider in offered.items()
        ],
    )


@router.post(
    "/insights",
    response_model=InsightsAnswerShape,
    responses=errors(Unauthorized, InvalidRequest, InsightsOff, ServerBusy, EchoStreamError),
    openapi_extra=json_body_of(
        InsightsFields,
        example={"transcript": "We agreed to ship on Friday.", "template": "meeting"},
    ),
)
async def insights(request: Request, services: ServicesDep) -> Response:
    """Generate insights from a transcript again, without its audio."""
    if services.pipeline.insights_name is None:
        raise InsightsOff("this server makes no insights: INSIGHTS_PROVIDER is 'none'")
    asked = await read_json(request, InsightsFields)
    transcript = await asyncio.to_thread(asked.as_transcript)
    work = services.pipeline.analyse(transcript, asked.insights_options)
    found = await with_request(request, work)
    if found is None:
        raise InsightsOff("this server makes no insights")
    services.metrics.observe_insights(found)
    shown = transcript.segments if asked.segments is None else ()
    return await json_answer(
        lambda: InsightsAnswerShape(
            insights=InsightsShape.of(found), segments=[SegmentShape.of(each) for each in shown]
        )
    )


@router.post(
    "/ask",
    response_model=ReplyShape,
    responses={
        200: {"content": {"text/event-stream": {}}},
        **errors(
            Unauthorized, InvalidRequest, NoLanguageModel, ServerBusy, AnswerFailed, EchoStreamError
        ),
    },
    openapi_extra=json_body_of(
        AskFields,
        required=("question",),
        example={
            "question": "When do we ship?",
            "segments": [{"id": 0, "text": "We agreed to ship on Friday.", "speaker": "A"}],
        },
    ),
)
async def ask(request: Request, services: ServicesDep) -> Response:
    """Answer a question about recordings from what was said in them. A stream has events `delta`
    (`text`), then `done` with the whole answer, or `error`."""
    questions = services.pipeline.questions
    if questions is None:
        raise NoLanguageModel("questions need a language model; see INSIGHTS_PROVIDER")
    asked = await read_json(request, AskFields)
    question = await asyncio.to_thread(asked.as_question)
    if asked.stream:
        return await _stream(request, services.metrics, questions, question)
    reply = await with_request(request, questions.answer(question))
    return Response(ReplyShape.of(reply).json_text(), media_type="application/json")


async def _stream(
    request: Request, metrics: Metrics, questions: Questions, question: Question
) -> Response:
    """Server-sent events. An error before the first text is an ordinary error response."""

    async def events() -> AsyncGenerator[str]:
        async with aclosing(_parts(request, questions, question)) as parts:
            async for part in parts:
                yield _event_of(part)

    return await event_stream(request, metrics, events())


async def _parts(
    request: Request, questions: Questions, question: Question
) -> AsyncGenerator[str | Reply]:
    """Yields the parts of an answer. The model stops when this is closed or the client leaves."""
    found: asyncio.Queue[str | Reply | None] = asyncio.Queue()

    async def read() -> None:
        async with aclosing(questions.stream(question)) as parts:
            async for part in parts:
                found.put_nowait(part)

    def ended(run: asyncio.Task[None]) -> None:
        found.put_nowait(None)
        if not run.cancelled():
            run.exception()  # read, so that asyncio does not report it as lost

    run = asyncio.create_task(with_request(request, read()))
    run.add_done_callback(ended)
    try:
        while (part := await found.get()) is not None:
            yield part
        run.result()
    finally:
        run.cancel()


def _event_of(part: str | Reply) -> str:
    if isinstance(part, Reply):
        return sse("done", ReplyShape.of(part).json_text())
    return sse("delta", json.dumps({"text": part}))
