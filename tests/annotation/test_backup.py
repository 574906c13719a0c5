"""``python -m annotation backup`` and ``restore``."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

from tests.annotation.conftest import served, serving
from tests.annotation.review import Review, record
from tests.warehouse.support import one_line_error

if TYPE_CHECKING:
    from pathlib import Path

    from tests.annotation.conftest import Served


def test_what_was_backed_up_while_served_is_served_elsewhere(on_sqlite: Served, tmp_path: Path) -> None:
    review = Review(on_sqlite)
    review.log([record(f"r{i}", f"thing {i}") for i in range(20)])
    review.respond("r3", "ann", "submitted", {"right": "yes", "quality": 4})
    copy = tmp_path / "copy"
    made = json.loads(on_sqlite.command("backup", copy, "--json").stdout)
    assert made["responses"] >= 1
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in copy.iterdir()} == {0o600}
    review.delete(["r4"])

    other = served(tmp_path)
    restored = json.loads(other.command("restore", copy, "--json").stdout)
    assert restored["records"] == made["records"]
    assert "has records already" in one_line_error(other.command("restore", copy))
    with serving(tmp_path) as again:
        assert again.told is not None
        assert again.told["users_made"] == []
        found = Review.__new__(Review)
        found.served, found.client = again, again.client()
        dataset = found.client.datasets(review.dataset.name, workspace="tierwise")
        assert dataset is not None
        found.dataset = dataset
        assert len(found.find("thing")) == 20
        assert found.find(None, ("right.response", "==", "yes")) == ["r3"]
    review.dataset.delete()


def test_wrong_inputs(on_sqlite: Served, tmp_path: Path) -> None:
    empty = served(tmp_path)
    assert "no Argilla at" in one_line_error(empty.command("backup", tmp_path / "copy"))
    assert f"{tmp_path} is there already" in one_line_error(on_sqlite.command("backup", tmp_path))
    assert "no folder" in one_line_error(on_sqlite.command("backup", tmp_path / "a" / "b"))
    assert "is no backup of Argilla" in one_line_error(empty.command("restore", tmp_path))
    assert on_sqlite.command("backup", tmp_path / "copy").returncode == 0
    assert "already serves" in one_line_error(on_sqlite.command("restore", tmp_path / "copy"))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_records_in_postgres_are_pg_dumps(on_postgres: Served, tmp_path: Path) -> None:
    error = one_line_error(on_postgres.command("backup", tmp_path / "copy"))
    assert "pg_dump" in error
