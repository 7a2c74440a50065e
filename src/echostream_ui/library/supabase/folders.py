"""Folders and saved filters in a Supabase project."""

import uuid
from collections.abc import Sequence

from echostream_ui.library.folders import Folder, SavedFilter
from echostream_ui.library.supabase.tables import Tables
from echostream_ui.library.values import Json


class SupabaseFolders:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def all(self) -> list[Folder]:
        return [Folder(**row) for row in self._tables.call("library_folders")]

    def add(self, name: str) -> str:
        folder_id = str(uuid.uuid4())
        self._tables.call("library_add_folder", new_id=folder_id, new_name=name)
        return folder_id

    def rename(self, folder_id: str, name: str) -> None:
        self._tables.update("folder", "id", folder_id, {"name": name})

    def delete(self, folder_id: str) -> None:
        self._tables.delete("folder", "id", [folder_id])

    def move(self, media_ids: Sequence[str], folder_id: str | None) -> None:
        self._tables.call("library_move", of_media=media_ids, to_folder=folder_id)


class SupabaseSavedFilters:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def all(self) -> list[SavedFilter]:
        return [SavedFilter(**row) for row in self._tables.call("library_filters")]

    def save(self, name: str, choice: Json) -> None:
        self._tables.call("library_save_filter", of_name=name, new_choice=choice)

    def delete(self, name: str) -> None:
        self._tables.call("library_delete_filter", of_name=name)
