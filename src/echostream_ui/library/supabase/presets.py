"""The presets of the signed-in user."""

from collections.abc import Callable
from typing import Any

from echostream_ui.library.presets import Preset
from echostream_ui.library.values import Json


class SupabasePresets:
    """A `Presets` in a Supabase project."""

    def __init__(self, call: Callable[..., Any]) -> None:
        """`call` calls a database function by its name."""
        self._call = call

    def all(self) -> list[Preset]:
        return [Preset(row["name"], row["options"]) for row in self._call("library_presets")]

    def keep(self, name: str, options: Json) -> None:
        self._call("library_keep_preset", of_name=name, given=options)

    def delete(self, name: str) -> None:
        self._call("library_delete_preset", of_name=name)
