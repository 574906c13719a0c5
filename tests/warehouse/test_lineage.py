"""``python -m warehouse lineage``: from any row back to source lines, prompts, models and runs."""

from __future__ import annotations

import shutil
import uuid
from datetime import datetime
from pathlib import Path

import pytest

from tests.warehouse.support import cli, one_line_error, row
from warehouse.errors import TierwiseError
from warehouse.ids import content_id
from warehouse.ledger import Run
from warehouse.lineage import trace
from warehouse.store import Store

QUERY, ITEM, PAIR = (content_id(kind, 1) for kind in ("query", "item", "pair"))
VERSION, MODEL, PROMPT, HASH = (content_id(kind, 1) for kind in ("version", "model", "prompt", "hash"))
CONFIGURATION = content_id("configuration", 1)
SAMPLES = [content_id("sample", i) for i in range(2)]
JUDGMENTS = [content_id("judgment", i) for i in range(2)]
GRADE, PREFERENCE, REJECT = (content_id(kind, 1) for kind in ("grade", "preference", "reject"))
# Two pairs whose ids begin alike, only the second in the split.
TWINS = [uuid.UUID("abcdef00-0000-4000-8000-000000000000"), uuid.UUID("abcdef01-0000-4000-8000-000000000000")]


@pytest.fixture(scope="module")
def traced(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store in which a preference goes back to two judged source lines. Only to be read."""
    store = Store(Path(shutil.copy(template, tmp_path_factory.mktemp("lineage") / "traced.duckdb")))
    run = Run("ingest", {}, started_at=datetime(2025, 1, 2, 3, 4), code_version="1.0")
    given = {"pair_id": PAIR, "item_version_id": VERSION, "run_id": run.run_id}
    drawn = {"pair_id": PAIR, "configuration_id": CONFIGURATION, "prompt_hash": HASH, "run_id": run.run_id}
    frozen = {"split": "hard_v1", "prompt_hash": HASH}
    with store.long_run(run) as long_run:
        for table, rows in {
            "queries": [row("queries", query_id=QUERY, text="red\n dress " + "x" * 60, run_id=run.run_id)],
            "item_versions": [
                row("item_versions", item_version_id=VERSION, title="Gown\x1b[2J", run_id=run.run_id)
            ],
            "pairs": [
                row("pairs", query_id=QUERY, tier=4, **given),
                *(row("pairs", pair_id=twin, run_id=run.run_id) for twin in TWINS),
            ],
            "judgments": [
                row("judgments", judgment_id=j, tier=3 + i, source_file="a.csv", source_row=9 - i, **given)
                for i, j in enumerate(JUDGMENTS)
            ],
            "models": [row("models", model_id=MODEL, name="tiny", run_id=run.run_id)],
            "prompts": [row("prompts", prompt_id=PROMPT, name="plain", run_id=run.run_id)],
            "configurations": [
                row("configurations", configuration_id=CONFIGURATION, model_id=MODEL, prompt_id=PROMPT)
            ],
            "rendered_prompts": [row("rendered_prompts", prompt_hash=HASH, prompt_id=PROMPT, **given)],
            "samples": [row("samples", sample_id=s, sample_index=i, **drawn) for i, s in enumerate(SAMPLES)],
            "grades": [row("grades", grade_id=GRADE, sample_id=SAMPLES[0], judgment_id=JUDGMENTS[1])],
            "preferences": [
                row(
                    "preferences",
                    preference_id=PREFERENCE,
                    chosen_sample_id=SAMPLES[0],
                    rejected_sample_id=SAMPLES[1],
                    **drawn,
                )
            ],
            "rejects": [row("rejects", reject_id=REJECT, reason="no tier", file="a.csv", line=5)],
            "splits": [row("splits", split="hard_v1", run_id=run.run_id)],
            "split_members": [row("split_members", pair_id=pair, **frozen) for pair in (PAIR, TWINS[1])]
            + [row("split_members", split="easy_v1", pair_id=TWINS[0])],
        }.items():
            long_run.write_part(table, rows)
    return store


@pytest.fixture
def changeable(traced: Store, tmp_path: Path) -> Store:
    """A copy of `traced`."""
    return Store(Path(shutil.copy(traced.path, tmp_path / "changeable.duckdb")))


def lines(store: Store, name: object) -> list[str]:
    with store.read() as connection:
        return list(trace(connection, str(name)).lines())


def test_a_sample_goes_back_to_lines_prompt_model_and_run(traced: Store) -> None:
    found = lines(traced, SAMPLES[0])
    run = found[0].split("  ← ")[1]
    assert run.startswith("ingest run ")
    assert run.endswith(", 2025-01-02 03:04, finished, 1.0")
    assert [len(line) - len(line.lstrip()) for line in found] == [0, 2, 4, 4, 2, 4, 4, 2, 4, 4, 4, 4]
    assert found[0].startswith(f"sample {SAMPLES[0]}  index 0, tier unparsable")
    assert found[1].startswith(f"  rendered prompt {PAIR}/{HASH}")
    assert found[5].startswith(f"    model {MODEL}  tiny, sha256 ")
    assert found[7].startswith(f"  pair {PAIR}  tier 4")
    assert found[8].startswith(f'    query {QUERY}  "red dress {"x" * 49}…", text, text')
    # In the order of the source's lines.
    assert [line.split("  ← ")[0].split("  ")[-1] for line in found[10:]] == [
        "tier 4, text, a.csv:8",
        "tier 3, text, a.csv:9",
    ]


def test_what_comes_up_again_is_not_told_twice(traced: Store) -> None:
    found = lines(traced, PREFERENCE)
    assert len([line for line in found if f"pair {PAIR}  " in line]) == 3
    assert len([line for line in found if "a.csv" in line]) == 2
    assert len([line for line in found if "tiny" in line]) == 1


@pytest.mark.parametrize(
    ("name", "first"),
    [
        (GRADE, "grade "),
        (REJECT, "reject "),
        (PREFERENCE, "preference "),
        (MODEL, "model "),
        (str(PAIR)[:8], f"pair {PAIR}"),
        (PAIR.hex, f"pair {PAIR}"),
        (str(PAIR).upper(), f"pair {PAIR}"),
        (str(TWINS[0])[:8], f"pair {TWINS[0]}"),
        ("hard_v1", "split hard_v1  text, 2 pairs"),
        (f"hard_v1/{PAIR.hex[:6]}", f"split member hard_v1/{PAIR}  frozen at tier 1"),
        # The other twin is no member.
        (f"hard_v1/{str(TWINS[1])[:6]}", f"split member hard_v1/{TWINS[1]}"),
    ],
)
def test_rows_are_found_by_what_names_them(traced: Store, name: object, first: str) -> None:
    assert lines(traced, name)[0].startswith(first)


def test_a_run_is_found_with_what_it_came_after(changeable: Store) -> None:
    parent = uuid.uuid4()
    run = Run("grade", {}, parents=(parent,), configuration_id=CONFIGURATION)
    with changeable.write(run):
        pass
    found = lines(changeable, run.run_id)
    assert found[0].startswith(f"run {run.run_id}  grade, ")
    assert found[0].endswith(f", after {parent}")
    assert found[1].startswith(f"  configuration {CONFIGURATION}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("abcdef", f"the beginning of several ids \\(pair {TWINS[0]}, pair {TWINS[1]}\\); give more"),
        ("0123456789", "no row with id 0123456789"),
        ("abc", "neither a split nor an id"),
        ("------", "neither a split nor an id"),
        ("", "neither a split nor an id"),
        ("a" * 33, "neither a split nor an id"),
        ("'; DROP TABLE runs", "neither a split nor an id"),
        ("hard_v2", "neither a split nor an id"),
        (f"hard_v1/{TWINS[0]}", "split hard_v1 has no pair abcdef00"),
        ("hard_v1/zz", "neither a split nor an id"),
    ],
)
def test_names_of_no_row_or_several(traced: Store, name: str, message: str) -> None:
    with pytest.raises(TierwiseError, match=message):
        lines(traced, name)


def test_ambiguity_inside_a_split(changeable: Store) -> None:
    with changeable.long_run(Run("split", {})) as run:
        run.write_part("split_members", [row("split_members", split="hard_v1", pair_id=TWINS[0])])
    with pytest.raises(TierwiseError, match="abcdef is the beginning of several pairs of hard_v1"):
        lines(changeable, "hard_v1/abcdef")


def test_ids_at_the_ends_of_the_range(store: Store) -> None:
    ends = [uuid.UUID(int=0), uuid.UUID(int=2**127), uuid.UUID(int=2**128 - 1)]
    with store.long_run(Run("x", {})) as run:
        run.write_part("queries", [row("queries", query_id=end) for end in ends])
    for end in ends:
        assert lines(store, end.hex[:6])[0].startswith(f"query {end}")


def test_a_preference_that_only_a_split_still_holds(changeable: Store) -> None:
    with changeable.write(Run("pairs", {})) as connection:
        connection.execute("DELETE FROM preferences")
        connection.execute(
            "INSERT INTO split_preferences BY NAME SELECT 'hard_v1' AS split, ?::UUID AS preference_id, "
            "?::UUID AS pair_id, ?::UUID AS prompt_hash, ?::UUID AS chosen_sample_id, "
            "?::UUID AS rejected_sample_id, 'x' AS row_hash",
            [PREFERENCE, PAIR, HASH, *SAMPLES],
        )
    assert lines(changeable, PREFERENCE)[1].startswith(f"  sample {SAMPLES[0]}")


def test_a_row_whose_parent_is_gone(changeable: Store) -> None:
    with changeable.write(Run("x", {})) as connection:
        connection.execute("DELETE FROM models")
    assert any(
        "model" in line and "(no longer in the store)" in line for line in lines(changeable, SAMPLES[0])
    )


def test_the_real_command(traced: Store) -> None:
    done = cli("lineage", PAIR, "--db", traced.path)
    assert done.returncode == 0
    assert '"Gown\\x1b[2J"' in done.stdout
    assert "no row with id" in one_line_error(cli("lineage", "0123456789", "--db", traced.path))
