"""🤗 data sets from a local folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.curation.conftest import RunCommand, rows

if TYPE_CHECKING:
    from pathlib import Path

MAP = ("--map", "query=q", "title=name", "label=grade", "item_id=sku")
TIERS = ("--tiers", "bad=1,good=4")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    import datasets

    features = datasets.Features(
        {
            "q": datasets.Value("string"),
            "name": datasets.Value("string"),
            "sku": datasets.Value("int64"),
            "grade": datasets.ClassLabel(names=["bad", "good"]),
        }
    )

    def made(first: int, count: int) -> Any:
        return datasets.Dataset.from_list(
            [
                {"q": f"lamp {n % 3}", "name": f"Lamp {n}", "sku": n, "grade": n % 2}
                for n in range(first, first + count)
            ],
            features=features,
        )

    folder = tmp_path / "lamps"
    datasets.DatasetDict({"train": made(0, 6), "test": made(6, 4)}).save_to_disk(folder)
    return folder


def test_splits_and_class_labels_keep_their_names(saved: Path, command: RunCommand, tmp_path: Path) -> None:
    db = tmp_path / "db"
    command("curation", "ingest", "hf", saved, *MAP, *TIERS, "--db", db)
    found = rows(
        command,
        db,
        "SELECT title, p.tier, p.source, source_split, source_item_id, source_file, source_row FROM pair_overview p "
        "JOIN judgments USING (pair_id) JOIN items USING (item_id, title) ORDER BY source_row, title",
    )
    assert len(found) == 10
    last = next(row for row in found if row["title"] == "Lamp 9")
    assert last == {
        "title": "Lamp 9",
        "tier": 4,
        "source": "lamps",
        "source_split": "test",
        "source_item_id": "9",
        "source_file": f"{saved}@test",
        "source_row": 4,
    }
    again = command("curation", "ingest", "hf", saved, *MAP, *TIERS, "--split", "train", "--json", "--db", db)
    assert json.loads(again.stdout)["pairs_unchanged"] == 6


def test_a_folder_of_data_files(command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    folder = tmp_path / "files"
    folder.mkdir()
    given = {"q": ["a", "b"], "name": ["A", "B"], "sku": [1, None], "grade": ["good", "odd"]}
    pq.write_table(pa.table(given), folder / "train.parquet")
    done = command(
        "curation", "ingest", "hf", folder, *MAP, *TIERS, "--source", "own", "--json", "--db", tmp_path / "db"
    )
    summary = json.loads(done.stdout)
    assert (summary["pairs"], summary["rejects"]) == (1, {"bad label": 1})


def test_bad_data_sets_are_one_line(saved: Path, command: RunCommand, tmp_path: Path) -> None:
    db = tmp_path / "db"

    def refused(*arguments: str | Path) -> str:
        told = command("curation", "ingest", "hf", *arguments, "--db", db, code=1).stderr
        assert told.count("\n") == 1
        return told

    told = refused(saved, "--map", "query=q", "title=title", "label=grade")
    assert "lamps@train: no column title; columns seen: q, name, sku, grade" in told
    assert "has no split dev; there are train, test" in refused(saved, *MAP, "--split", "dev")
    assert "nowhere is not there; give a folder or a hub id" in refused("./nowhere", *MAP)
    assert "cannot load the data set nobody/nothing" in refused("nobody/nothing", *MAP)
    assert "tiers are 1 to 4" in refused(saved, *MAP, "--tiers", "bad=7")
    assert not db.exists()
