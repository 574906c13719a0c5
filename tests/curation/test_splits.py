"""Frozen splits: leaks refused, alterations named, exports whole."""

from __future__ import annotations

import csv
import json
from collections import Counter
from typing import TYPE_CHECKING

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.splits.draw import Stratum, draw_needs
from tests.curation.conftest import RunCommand, rows

if TYPE_CHECKING:
    from pathlib import Path

ALTERATIONS = {
    "a query": "UPDATE queries SET text = text || ' x' WHERE query_id = (SELECT query_id FROM split_members LIMIT 1)",
    "an item": "UPDATE item_versions SET title = 'x' "
    "WHERE item_version_id = (SELECT item_version_id FROM split_members LIMIT 1)",
    "a prompt": "UPDATE rendered_prompts SET messages = '[]' "
    "WHERE prompt_hash = (SELECT prompt_hash FROM split_members LIMIT 1)",
    "a frozen tier": "UPDATE split_members SET tier = 5 - tier "
    "WHERE pair_id = (SELECT min(pair_id) FROM split_members)",
    "a completion": "UPDATE samples SET text = 'x' WHERE sample_id = (SELECT sample_id FROM split_completions LIMIT 1)",
    "a rejected sample": "UPDATE samples SET text = 'x' "
    "WHERE sample_id = (SELECT rejected_sample_id FROM split_preferences LIMIT 1)",
    "a preference": "UPDATE preferences SET chosen = 'x' "
    "WHERE preference_id = (SELECT preference_id FROM split_preferences LIMIT 1)",
    "a member gone": "DELETE FROM split_members WHERE pair_id = (SELECT min(pair_id) FROM split_members)",
    "a sample gone": "DELETE FROM samples WHERE sample_id = (SELECT sample_id FROM split_completions LIMIT 1)",
}


def create(command: RunCommand, store: Path, name: str, *more: str, code: int = 0) -> str:
    done = command("curation", "split", "create", name, *more, "--db", store, code=code)
    return done.stdout + done.stderr


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_verify_names_what_was_altered_by_hand(alteration: str, command: RunCommand, store: Path) -> None:
    create(command, store, "all")
    assert "whole" in command("curation", "split", "verify", "all_v1", "--db", store).stdout
    with duckdb.connect(str(store)) as connection:
        pair = connection.execute("SELECT CAST(min(pair_id) AS VARCHAR) FROM split_members").fetchall()[0][0]
        connection.execute(ALTERATIONS[alteration])
    told = command("curation", "split", "verify", "all_v1", "--db", store, code=1).stderr
    if alteration == "a frozen tier":
        assert f"member {pair}" in told
    assert "altered" in told or "no longer in the store" in told or "rows were added" in told
    refused = command("curation", "export", "all_v1", "--out", store.parent / "out", "--db", store, code=1)
    assert "not what was frozen" in refused.stderr
    assert not (store.parent / "out").exists()


def test_a_condition_on_difficulty_is_of_the_configuration_that_is_named(
    command: RunCommand, store: Path, tiny_model: Path
) -> None:
    def members(split: str) -> list[str]:
        found = rows(command, store, f"SELECT pair_id FROM split_members WHERE split = '{split}' ORDER BY 1")
        return [row["pair_id"] for row in found]

    def met(configuration: str) -> list[str]:
        found = rows(
            command,
            store,
            "SELECT d.pair_id FROM difficulty d JOIN pairs p USING (pair_id) WHERE step IS NULL AND n > 0 "
            f"AND p.tier IS NOT NULL AND configuration_id = '{configuration}' ORDER BY 1",
        )
        return [row["pair_id"] for row in found]

    (old,) = rows(command, store, "SELECT configuration_id AS id FROM newest_configuration")
    asked = ("--n", "2", "--limit", "5", "--max-tokens", "8", "--model", tiny_model)
    command("curation", "sample", *asked, "--db", store)
    command("curation", "difficulty", "--db", store)
    (new,) = rows(command, store, "SELECT configuration_id AS id FROM newest_configuration")
    assert len(met(new["id"])) == 5 < len(met(old["id"]))
    create(command, store, "newest", "--where", "n > 0")
    create(command, store, "older", "--where", "n > 0", "--configuration", old["id"])
    assert members("newest_v1") == met(new["id"])
    assert members("older_v1") == met(old["id"])


def test_the_same_recipe_on_an_unchanged_store_gives_no_new_version(command: RunCommand, store: Path) -> None:
    create(command, store, "hard", "--where", "band IN ('medium','hard')")
    assert "already frozen" in create(command, store, "hard", "--where", "band IN ('medium','hard')")
    create(command, store, "hard", "--where", "band = 'hard'")
    assert [row["split"] for row in rows(command, store, "SELECT split FROM splits ORDER BY 1")] == [
        "hard_v1",
        "hard_v2",
    ]
    shown = json.loads(
        command("curation", "split", "diff", "hard_v1", "hard_v2", "--json", "--db", store).stdout
    )
    assert shown["pairs"]["only in hard_v2"] == 0
    assert shown["pairs"]["only in hard_v1"] > 0


@pytest.mark.parametrize(("first", "second"), [("train", "eval"), ("eval", "train"), ("calibration", "eval")])
def test_a_query_in_a_split_of_another_role_is_refused_whichever_came_first(
    first: str, second: str, command: RunCommand, store: Path
) -> None:
    create(command, store, "first", "--role", first, "--where", "query = 'shelf 3'")
    told = create(
        command, store, "second", "--role", second, "--where", "query IN ('shelf 3', 'shelf 4')", code=1
    )
    assert "'shelf 3' in first_v1" in told
    create(command, store, "second", "--role", second, "--where", "query = 'shelf 4'")
    # The same role may share.
    create(command, store, "third", "--role", first, "--where", "query IN ('shelf 3', 'shelf 5')")


def test_an_equal_item_under_an_equal_query_text_of_another_locale_is_refused(
    command: RunCommand, store: Path, tmp_path: Path
) -> None:
    title, description = rows(
        command, store, "SELECT title, description FROM pair_overview WHERE query = 'shelf 3' LIMIT 1"
    )[0].values()
    other = tmp_path / "uk.csv"
    other.write_text(f'query,title,description,label,locale\nshelf 3,{title},"{description}",4,uk\n')
    fields = [f"{name}={name}" for name in ("title", "description", "label", "locale")]
    command("curation", "ingest", "table", other, "--map", "query=query", *fields, "--db", store)
    create(command, store, "first", "--where", "query = 'shelf 3' AND locale = 'us'")
    told = create(command, store, "second", "--role", "eval", "--where", "locale = 'uk'", code=1)
    assert "'shelf 3' in first_v1" in told


def test_wordings_of_one_intent_stay_in_one_role(command: RunCommand, tmp_path: Path) -> None:
    db = tmp_path / "db"
    judged = tmp_path / "judged.csv"
    lines = ["query,title,label,intent"]
    for need in range(20):
        for wording in "abc":
            lines += [
                f"{wording} {need},item {item} of {need},{item % 4 + 1},{need if need else ''}"
                for item in range(4)
            ]
    judged.write_text("\n".join(lines) + "\n")
    fields = [f"{name}={name}" for name in ("title", "label", "intent")]
    command("curation", "ingest", "table", judged, "--map", "query=query", *fields, "--db", db)
    create(command, db, "held", "--role", "eval", "--size", "100")
    needs = "SELECT intent, count(*) AS n FROM split_members JOIN queries USING (query_id) GROUP BY 1"
    assert {row["n"] for row in rows(command, db, needs) if row["intent"]} == {12}

    told = create(command, db, "rest", "--where", "query LIKE 'a %'", code=1)
    assert "by their intent" in told
    # As the message says.
    left = "query_id NOT IN (SELECT query_id FROM split_queries WHERE role <> 'train')"
    assert left in told
    create(command, db, "rest", "--where", left)
    roles = (
        "SELECT count(DISTINCT role) AS roles FROM split_members JOIN splits USING (split) "
        "JOIN queries USING (query_id) WHERE intent IS NOT NULL GROUP BY intent"
    )
    assert {row["roles"] for row in rows(command, db, roles)} == {1}


def test_gold_that_changes_leaves_the_frozen_split_whole(
    command: RunCommand, store: Path, judged_csv: Path, tmp_path: Path
) -> None:
    create(command, store, "all")
    out = tmp_path / "before"
    command("curation", "export", "all_v1", "--out", out, "--db", store)
    relabelled = tmp_path / "judged.csv"
    turned = str.maketrans("1234", "4321")
    header, *lines = judged_csv.read_text().splitlines()
    relabelled.write_text(
        "\n".join([header, *(line[:-1] + line[-1].translate(turned) for line in lines)]) + "\n"
    )
    fields = [f"{name}={name}" for name in ("title", "description", "label")]
    told = command(
        "curation", "ingest", "table", relabelled, "--map", "query=query", *fields, "--json", "--db", store
    )
    assert json.loads(told.stdout)["pairs_changed"] == 60
    pairs = json.loads(command("curation", "pairs", "--json", "--db", store).stdout)
    assert pairs["withdrawn"] > 0
    assert "whole" in command("curation", "split", "verify", "all_v1", "--db", store).stdout
    command("curation", "export", "all_v1", "--out", tmp_path / "after", "--db", store)
    for file in out.iterdir():
        assert (tmp_path / "after" / file.name).read_bytes() == file.read_bytes(), file.name
    create(command, store, "all")
    assert len(rows(command, store, "FROM splits")) == 2


def test_csv_neutralises_formulas_and_keeps_the_text(
    command: RunCommand, store: Path, tmp_path: Path
) -> None:
    create(command, store, "all")
    with duckdb.connect(str(store)) as connection:
        texts = connection.execute(
            "SELECT text FROM samples SEMI JOIN split_completions USING (sample_id)"
        ).fetchall()
    command("curation", "export", "all_v1", "--format", "csv", "--out", tmp_path / "csv", "--db", store)
    with (tmp_path / "csv" / "sft.csv").open(newline="") as file:
        written = [row["completion"] for row in csv.DictReader(file)]
    assert Counter(written) == Counter(text for (text,) in texts)
    assert written


def test_an_export_replaces_only_its_own_kind(command: RunCommand, store: Path, tmp_path: Path) -> None:
    create(command, store, "all")
    out = tmp_path / "out"
    command("curation", "export", "all_v1", "--out", out, "--db", store)
    command("curation", "export", "all_v1", "--out", out, "--db", store)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "README.md").write_text("my notes")
    refused = command("curation", "export", "all_v1", "--out", mine, "--db", store, code=1)
    assert "is no export of all_v1" in refused.stderr
    assert (mine / "README.md").read_text() == "my notes"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", "Hard"], "small letters"),
        (["create", "hard_v2"], "version is added"),
        (["create", "hard", "--where", "nope = 1"], "nope"),
        (["create", "hard", "--where", "tier = 7"], "no pair"),
        (["create", "hard", "--size", "2"], "queries stay whole"),
        (["verify", "nope_v1"], "no split nope_v1"),
        (["show", "nope_v1"], "no split nope_v1"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    arguments: list[str], words: str, command: RunCommand, store: Path
) -> None:
    before = store.read_bytes()
    told = command("curation", "split", *arguments, "--db", store, code=1).stderr
    assert words in told
    assert len(told.strip().splitlines()) == 1
    assert store.read_bytes() == before


strata = st.tuples(st.integers(1, 4), st.sampled_from(["plain", "negation"]))


@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii"), min_size=1, max_size=6),
        st.dictionaries(strata, st.integers(1, 9), min_size=1),
        min_size=1,
        max_size=40,
    ),
    st.integers(1, 200),
    st.integers(0, 3),
)
def test_drawn_queries_never_hold_more_than_asked_for(
    queries: dict[str, dict[Stratum, int]], size: int, seed: int
) -> None:
    counts = [(query, stratum, n) for query, by in queries.items() for stratum, n in by.items()]
    chosen = draw_needs(counts, size, seed)
    held = sum(n for query, _, n in counts if query in chosen)
    total = sum(n for _, _, n in counts)
    assert held == total if total <= size else held <= size
    assert bool(chosen) == any(sum(by.values()) <= size for by in queries.values())
    assert draw_needs(reversed(counts), size, seed) == chosen


def test_drawn_queries_mirror_the_shares_of_tiers() -> None:
    # Half of the queries hold tier 4 alone, half tier 1 alone.
    counts = [(f"q{i}", ((4, "plain") if i % 2 else (1, "plain")), 5) for i in range(200)]
    chosen = draw_needs(counts, 300, seed=1)
    by_tier = Counter(stratum[0] for query, stratum, _ in counts if query in chosen)
    assert by_tier == {4: 30, 1: 30}
    assert chosen != draw_needs(counts, 300, seed=2)
