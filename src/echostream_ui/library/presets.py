"""Options of requests that users keep under a name."""

from dataclasses import dataclass
from typing import Protocol

from echostream_ui.library.values import Json


@dataclass(frozen=True, slots=True)
class Preset:
    """Options of a request, under the names of the API, that the user keeps under a name."""

    name: str
    options: Json


class Presets(Protocol):
    """The presets of one user. Methods block and may raise StoreError, as `Store`'s do."""

    def all(self) -> list[Preset]:
        """Returns the presets, the last used one first."""

    def keep(self, name: str, options: Json) -> None:
        """Saves a preset, in place of another of this name. It becomes the last used one."""

    def delete(self, name: str) -> None: ...
