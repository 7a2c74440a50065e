"""How users keep order in a library: folders, and searches that have a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Folder:
    """`recordings` are those in it that are not in the bin."""

    id: str
    name: str
    recordings: int = 0


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A search that the user gave a name. `choice` is what the page that saved it needs to show it
    again."""

    name: str
    choice: dict[str, Any]


class Folders(Protocol):
    """Folders for recordings, each of which is in one of them or in none. Like a `Store`, as far as
    threads and errors go. A name that another folder has, in any case, is a StoreError."""

    def all(self) -> list[Folder]:
        """Returns the folders in the order of their names."""

    def add(self, name: str) -> str:
        """Returns the id of the new folder."""

    def rename(self, folder_id: str, name: str) -> None: ...

    def delete(self, folder_id: str) -> None:
        """Its recordings stay, in no folder."""

    def move(self, media_ids: Sequence[str], folder_id: str | None) -> None:
        """Puts recordings into a folder, or with None into no folder."""


class SavedFilters(Protocol):
    """The same for saved filters, which are known by their names."""

    def all(self) -> list[SavedFilter]:
        """Returns the filters in the order of their names."""

    def save(self, name: str, choice: dict[str, Any]) -> None:
        """Replaces the one that has this name, if there is one."""

    def delete(self, name: str) -> None: ...
