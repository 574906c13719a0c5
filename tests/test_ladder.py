"""The ladder's tables are what its kept rows say, and every number leads back to what it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from benchmarks.ladder.__main__ import main
from benchmarks.ladder.kept import kept_store
from benchmarks.ladder.read import FORMS, SEEDS, read_ladder
from warehouse.lineage import trace

if TYPE_CHECKING:
    from warehouse.store import Store

ROOT = Path(__file__).parents[1]
DOCUMENTED = {
    "README.md": FORMS[:1],
    "docs/ladder.md": FORMS,
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return kept_store(tmp_path_factory.mktemp("kept") / "kept.duckdb")


@pytest.mark.parametrize("page", DOCUMENTED)
def test_the_tables_in_the_documentation_are_what_is_printed(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(main, [], catch_exceptions=False).output
    forms = {part.split(",")[0]: part for part in printed.split("## ")[1:]}
    text = (ROOT / page).read_text()
    for form in DOCUMENTED[page]:
        for table in forms[form].split("\n\n")[1:]:
            assert table.strip() in text


def test_every_number_has_a_lineage(kept: Store) -> None:
    for form in FORMS:
        ladder = read_ladder(kept, form)
        assert ladder.seeds
        ids = {number.row_id for numbers in ladder.numbers.values() for number in numbers}
        with kept.read() as connection:
            for row_id in ids:
                assert trace(connection, row_id).parents


def test_the_ladder_was_climbed_with_every_seed(kept: Store) -> None:
    assert read_ladder(kept, FORMS[0]).seeds == list(SEEDS)
