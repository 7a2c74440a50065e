"""Write `docs/reference/` and `.env.example` from the code, so that they say what the code does.

A test fails when one is out of date; run `python scripts/reference.py` to mend that.
"""

import json
import textwrap
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from echostream.settings import Settings
from echostream.settings.cpus import cpu_count
from echostream.settings.group import SettingsGroup
from echostream.web.app import create_app
from echostream_ui.settings import FrontendSettings

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "reference"

# Not settings of ours: what compose.yaml and libraries read.
_COMPOSE = {
    "PUBLISH=127.0.0.1": "Address of this host that containers' ports are open on.",
    "CLUSTER_PORT=8080": "Port of the balancer of the profile `cluster`.",
    "STOP_GRACE_PERIOD=45s": "When a container is killed that has not stopped; longer than "
    "SHUTDOWN_GRACE_S by some seconds.",
    "BAKE_MODEL=": "Whisper model that `docker compose build` puts into the images.",
}
_LIBRARIES = {
    "HF_HOME=": "Folder of Whisper models that were fetched; containers have it at /models.",
    "HF_HUB_OFFLINE=": "1: the model hub is never asked.",
    "HF_TOKEN=": "For models that the hub gives to its users alone.",
    "AWS_ACCESS_KEY_ID=": "Access to the bucket that STORAGE_URL names.",
    "AWS_SECRET_ACCESS_KEY=": "Its secret.",
    "AWS_DEFAULT_REGION=": "Region of the bucket.",
    "AWS_ENDPOINT_URL=": "Another server that speaks S3.",
}
_WIDTH = 100


def main() -> None:
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    (ROOT / ".env.example").write_text(env_example(), encoding="utf-8")


def env_example() -> str:
    """Every setting with what it is for, each as a comment with its default."""
    groups = _groups().values()
    api = dict(_env_line(*each) for fields in groups for each in fields.items())
    ui = dict(_env_line(*each) for each in FrontendSettings.model_fields.items())
    sections = {
        "The API and its workers": api,
        "The web frontend": {line: about for line, about in ui.items() if line not in api},
        "compose.yaml alone": _COMPOSE,
        "Read by libraries": _LIBRARIES,
    }
    text = (
        "# Copy to .env and take the # from the lines that are to be yours. compose.yaml has\n"
        "# USE_QUEUE=true and WEB_CONCURRENCY=1 where they are not set here.\n"
    )
    for title, lines in sections.items():
        text += f"\n# --- {title} ---\n"
        for line, about in lines.items():
            text += f"\n{textwrap.fill(about, _WIDTH, **_COMMENT)}\n#{line}\n"
    return text


_COMMENT: dict[str, Any] = {
    "initial_indent": "# ",
    "subsequent_indent": "# ",
    "break_long_words": False,
    "break_on_hyphens": False,
}


def _env_line(name: str, field: FieldInfo) -> tuple[str, str]:
    default: Any = field.default
    if default is None or default is PydanticUndefined or default == ():
        default = ""
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return f"{name.upper()}={shown}", " ".join((field.description or "").split())


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
            *_api_tables(),
            "## Web frontend\n",
            *_table(FrontendSettings.model_fields),
            "",
        ]
    )


def _groups() -> dict[str, dict[str, FieldInfo]]:
    """The settings of the API and its workers, by the headings of their groups."""
    groups = [each for each in Settings.__bases__ if issubclass(each, SettingsGroup)]
    return {(each.__doc__ or "").rstrip("."): each.model_fields for each in groups}


def _api_tables() -> list[str]:
    lines: list[str] = []
    for heading, fields in _groups().items():
        lines += [f"### {heading}\n", *_table(fields), ""]
    return lines


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


def _type(field: dict[str, Any]) -> str:
    types = field["type"]
    return types if isinstance(types, str) else " or ".join(types)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _bodies(operation: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for media, body in operation.get("requestBody", {}).get("content", {}).items():
        schema = body["schema"]
        required = schema.get("required", [])
        lines.append(f"`{media}`:\n")
        for name, field in schema["properties"].items():
            notes = [_type(field), *(["required"] if name in required else [])]
            notes += [f"default `{_text(field['default'])}`"] if "default" in field else []
            choices = field.get("enum", [field["const"]] if "const" in field else [])
            notes += [" or ".join(f"`{one}`" for one in choices)] if choices else []
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
