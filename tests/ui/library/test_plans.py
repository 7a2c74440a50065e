"""How SQLite finds recordings among ten thousand: by its indexes, whatever is asked for."""

from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from echostream_ui.library.search import NO_FOLDER, Query
from echostream_ui.library.sqlite.database import Database
from echostream_ui.library.sqlite.search import search
from echostream_ui.library.sqlite.store import SqliteStore
from ui.seeded import multiply, seed


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large") / "library"
    with closing(SqliteStore(folder)) as store:
        made = seed(store, 100)
        multiply(folder, 100)
        store.folders.move([each.id for each in made], store.folders.add("Team"))
    return folder


class Explained(Database):
    """Keeps the plan of every statement that reads."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.plans: list[str] = []

    def rows(self, sql, *values):
        plan = super().rows(f"EXPLAIN QUERY PLAN {sql}", *values)
        self.plans.append("\n".join(row["detail"] for row in plan))
        return super().rows(sql, *values)


QUERIES = {
    "all": (Query(), "media_by_date"),
    "the last page": (Query(offset=9950), "media_by_date"),
    "titles": (Query(sort="title", descending=False), "media_by_title"),
    "lengths": (Query(sort="duration_s"), "media_by_duration"),
    "a period": (Query(since=date(2026, 1, 1), until=date(2026, 1, 31)), "media_by_date"),
    "a folder": (Query(folder="team"), "media_in_folder"),
    "no folder": (Query(folder=NO_FOLDER), "media_in_folder"),
    "a state": (Query(states=("failed",)), "media_by_"),
    "the bin": (Query(in_bin=True, sort="deleted_at"), "media_by_"),
    "words": (Query("security audit"), "VIRTUAL TABLE INDEX"),
}


@pytest.mark.parametrize("what", QUERIES)
def test_an_index_finds_them(large, what):
    query, index = QUERIES[what]
    with closing(Explained(large / "library.db")) as db:
        search(db, query)
    counting, listing, *_matches = db.plans
    assert index in listing
    for plan in (counting, listing):
        assert "SCAN analysis" not in plan
        # A table is only read from end to end through an index that is in order.
        assert not [
            line
            for line in plan.splitlines()
            if line.startswith("SCAN media") and "USING" not in line
        ]


def test_the_newest_are_listed_without_sorting(large):
    with closing(Explained(large / "library.db")) as db:
        search(db, Query())
    counting, listing = db.plans
    assert "COVERING INDEX" in counting
    assert "TEMP B-TREE" not in listing


@pytest.mark.parametrize("what", ["titles", "lengths", "the bin", "a folder", "a period"])
def test_others_are_sorted_at_most_where_they_are_equal(large, what):
    with closing(Explained(large / "library.db")) as db:
        search(db, QUERIES[what][0])
    assert "USE TEMP B-TREE FOR ORDER BY" not in db.plans[1]
