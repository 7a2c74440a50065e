"""The template of a request: the name of a built-in one, or one of the caller's own."""

from dataclasses import asdict
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
)

from echostream.domain import Template, TemplateSection
from echostream.given_json import parse
from echostream.templates import BUILT_IN

_MOST_SECTIONS = 12
Heading = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class SectionFields(BaseModel):
    """One section of a template."""

    model_config = ConfigDict(frozen=True)

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    title: Heading
    instructions: Annotated[str, Field(max_length=500)] = ""


class TemplateFields(BaseModel):
    """A template of the caller's own, or a built-in one."""

    model_config = ConfigDict(frozen=True)

    name: Heading
    title: Heading | None = None
    instructions: Annotated[str, Field(max_length=2000)] = ""
    sections: Annotated[
        tuple[SectionFields, ...], Field(max_length=_MOST_SECTIONS, fail_fast=True)
    ] = ()

    @field_validator("sections")
    @classmethod
    def _keys_differ(cls, sections: tuple[SectionFields, ...]) -> tuple[SectionFields, ...]:
        if len({each.key for each in sections}) < len(sections):
            raise ValueError("two sections have the same key")
        return sections

    def as_template(self) -> Template:
        """The same as a domain object."""
        sections = tuple(TemplateSection(**each.model_dump()) for each in self.sections)
        return Template(self.name, self.title or self.name, self.instructions, sections)


def _read_template(given: object) -> object:
    """Reads the name of a built-in template, or the JSON that a form has."""
    if not isinstance(given, str):
        return given
    if given.lstrip().startswith("{"):
        try:
            return parse(given)
        except ValueError as error:
            raise ValueError("is not valid JSON") from error
    if given not in BUILT_IN:
        raise ValueError(f"must be one of {', '.join(BUILT_IN)}, or a template as JSON")
    return asdict(BUILT_IN[given])


ChosenTemplate = Annotated[
    TemplateFields,
    BeforeValidator(_read_template),
    WithJsonSchema(
        {
            "type": ["string", "object"],
            "properties": {
                "name": {"type": "string"},
                "instructions": {"type": "string"},
                "sections": {"type": "array", "maxItems": _MOST_SECTIONS},
            },
            "required": ["name"],
            "examples": ["meeting"],
        }
    ),
]
