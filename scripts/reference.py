"""Write `docs/reference/` from the code, so that it says what the code does.

A test fails when the pages are out of date; run `python scripts/reference.py` to mend that.
"""

from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from echostream.settings import Settings, cpu_count
from echostream.web.app import create_app
from frontend.settings import FrontendSettings

FOLDER = Path(__file__).parent.parent / "docs" / "reference"


def main() -> None:
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Each page's file name and its text."""
    return {"settings.md": settings_page(), "api.md": api_page(create_app(Settings()).openapi())}


def settings_page() -> str:
    return "\n".join(
        [
            "# Settings\n",
            "Environment variables; a file `.env` in the working directory is read too, and the",
            "environment wins. An empty value counts as unset.\n",
            "## API and workers\n",
            *_table(Settings.model_fields),
            "",
            "## Web frontend\n",
            *_table(FrontendSettings.model_fields),
            "",
        ]
    )


def _table(fields: dict[str, FieldInfo]) -> list[str]:
    rows = [
        f"| `{name.upper()}` | {_default(field)} | {' '.join((field.description or '').split())} |"
        for name, field in fields.items()
    ]
    return ["| variable | default | meaning |", "|---|---|---|", *rows]


def _default(field: FieldInfo) -> str:
    if field.default_factory is cpu_count:
        return "CPU count"
    default: Any = field.default
    if default is None or default is PydanticUndefined or default == ():
        return "unset"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    choices = [str(choice) for choice in get_args(field.annotation) if isinstance(choice, str)]
    others = [f"`{choice}`" for choice in choices if choice != default]
    return f"`{default}`" + (f" (or {', '.join(others)})" if others else "")


def api_page(openapi: dict[str, Any]) -> str:
    lines = [
        "# REST API\n",
        "A running server shows the same with every field and a form to try it, at `/docs`.",
        "Errors are JSON: `error` (a code), `message` (a sentence), `requestId`; under `/v1` they",
        "have OpenAI's shape.\n",
    ]
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            lines.append(f"## {method.upper()} {path}\n")
            lines.append(f"{operation.get('description', operation['summary'])}\n")
            lines.extend(_bodies(operation))
            lines.extend(_statuses(operation))
    return "\n".join(lines)


def _bodies(operation: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for media, body in operation.get("requestBody", {}).get("content", {}).items():
        schema = body["schema"]
        required = schema.get("required", [])
        lines.append(f"`{media}`:\n")
        for name, field in schema["properties"].items():
            notes = [field["type"], *(["required"] if name in required else [])]
            notes += [f"default `{str(field['default']).lower()}`"] if "default" in field else []
            notes += [" or ".join(f"`{one}`" for one in field["enum"])] if "enum" in field else []
            about = f": {field['description']}" if "description" in field else ""
            lines.append(f"- `{name}` ({', '.join(notes)}){about}")
        lines.append("")
    return lines


def _statuses(operation: dict[str, Any]) -> list[str]:
    lines = ["| status | |", "|---|---|"]
    for status, response in sorted(operation["responses"].items()):
        lines.append(f"| {status} | {response['description']} |")
    return [*lines, ""]


if __name__ == "__main__":
    main()
