"""docs/sql-cookbook.md: every question is answered from a store that real commands filled."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.curation.conftest import MAPPING, invoke, rows

if TYPE_CHECKING:
    from tests.curation.conftest import RunCommand, RunProcess

COOKBOOK = Path(__file__).resolve().parents[2] / "docs" / "sql-cookbook.md"
QUESTIONS = re.findall(
    r"^## (\d+\. .+?)\n.*?^```sql\n(.+?)^```", COOKBOOK.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
NOT_HELD = "query_id NOT IN (SELECT query_id FROM split_queries WHERE role <> 'train')"


@pytest.fixture(scope="module")
def rich(
    sampled_store: Path,
    judged_csv: Path,
    tiny_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
    command: RunCommand,
    process: RunProcess,
) -> Path:
    """A store in which there is something to find for every question. Only to be read."""
    folder = tmp_path_factory.mktemp("rich")
    store = folder / "tierwise.duckdb"
    store.write_bytes(sampled_store.read_bytes())

    def curation(*arguments: str | Path) -> None:
        command("curation", *arguments, "--db", store)

    # A second source that judges the first 30 pairs otherwise, with traffic and a row that says nothing.
    header, *lines = judged_csv.read_text(encoding="utf-8").splitlines()
    turned = str.maketrans("1234", "4321")
    second = folder / "second.csv"
    judged = [f"{line[:-1]}{line[-1].translate(turned)},{i % 7}" for i, line in enumerate(lines[:30])]
    second.write_text("\n".join([f"{header},weight", *judged, "shelf 1,,,4,1"]) + "\n", encoding="utf-8")
    curation("ingest", "table", second, *MAPPING, "weight=weight")
    # An item whose title changes, under a query without an Excellent item.
    for title in ("Old lamp", "New lamp"):
        shop = folder / "shop.csv"
        shop.write_text(f"query,title,label,sku\nlamp without shade,{title},2,sku1\n", encoding="utf-8")
        curation("ingest", "table", shop, "--map", "query=query", "title=title", "label=label", "item_id=sku")
    curation("split", "create", "held", "--role", "eval", "--size", "8")
    curation("split", "create", "hard", "--where", NOT_HELD)
    # Another configuration, whose random model keeps no format; then a killed run; then more of the first.
    sample = ("sample", "--model", tiny_model, "--max-tokens", "24")
    curation(*sample, "--n", "4", "--unguided", "--limit", "30")
    killed = ("curation", *sample, "--n", "8", "--db", store)
    process(*killed, code=-9, env={"TIERWISE_DIE_AT": "part"})
    curation(*sample, "--n", "8")
    one = rows(command, store, "SELECT CAST(min(pair_id) AS VARCHAR) AS pair FROM conflicts")[0]["pair"]
    curation("conflicts", "decide", one, "--tier", "3", "--by", "Ana", "--reason", "read it")
    curation("pairs", "--max-length-ratio", "8")
    curation("difficulty")
    teach(command, store, folder, tiny_model)
    curation("split", "create", "hard", "--where", NOT_HELD)
    evaluate(command, store, folder, tiny_model)
    train(store, folder, tiny_model)
    return store


def teach(command: RunCommand, store: Path, folder: Path, model: Path) -> None:
    """Rationales of a few pairs of the shop, by their derivations and by a random model."""
    shop = folder / "made-up.csv"
    fields = ("query", "title", "description", "label", "item_id", "intent")
    tiers = ("--tiers", "Excellent=4,Related=3,Mismatch=2,Irrelevant=1")
    mapping = ("--map", *(f"{name}={name}" for name in fields), "reason=derivation")
    command("curation", "synthesize", "--pairs", "40", "--out", shop)
    command("curation", "ingest", "table", shop, *tiers, *mapping, "--db", store)
    command("curation", "rules", "load", "shop", "--db", store)
    of_shop = "pair_id IN (SELECT pair_id FROM pairs JOIN queries USING (query_id) WHERE intent IS NOT NULL)"
    for teacher in ("shop", model):
        asked = (
            "--teacher",
            teacher,
            "--where",
            of_shop,
            "--limit",
            "10",
            "--max-tokens",
            "16",
            "--tries",
            "1",
        )
        command("curation", "rationales", *asked, "--db", store)


def train(store: Path, folder: Path, model: Path) -> None:
    """A few steps of GRPO."""
    from training.grpo import main

    asked = ("--split", "hard_v1", "--model", model, "--out", folder / "trained", "--db", store)
    fields = ("--num_generations", "4", "--max_completion_length", "4", "--learning_rate", "1e-2")
    invoke(main, [*map(str, asked), *fields, "--max_steps", "2"], code=0)


def evaluate(command: RunCommand, store: Path, folder: Path, model: Path) -> None:
    """A model and another system on one split, measured; thresholds for the model."""
    split = ("--split", "hard_v1", "--db", store)
    command("eval", "predict", *split, "--model", model, "--name", "ours")
    pairs = rows(
        command, store, "SELECT CAST(pair_id AS VARCHAR) AS pair FROM split_members WHERE split = 'hard_v1'"
    )
    theirs = folder / "theirs.csv"
    lines = [
        f"{row['pair']},{'0.7,0.1,0.1,0.1' if i % 2 else '0.1,0.1,0.1,0.7'}" for i, row in enumerate(pairs)
    ]
    theirs.write_text("\n".join(["pair_id,p1,p2,p3,p4", *lines]) + "\n", encoding="utf-8")
    command("eval", "predict", *split, "--from", theirs)
    for predictor in ("ours", "theirs"):
        command("eval", "metrics", *split, "--predictor", predictor, "--resamples", "100")
    same = ("--fit", "hard_v1", "--judge", "hard_v1", "--same-split", "--db", store)
    command("eval", "partition", "fit", "--predictor", "ours", "--resamples", "100", *same)


def test_there_are_twenty_seven_questions() -> None:
    assert [int(heading.split(".")[0]) for heading, _ in QUESTIONS] == list(range(1, 28))
    assert COOKBOOK.read_text(encoding="utf-8").count("```sql") == 27


@pytest.mark.parametrize(("heading", "query"), QUESTIONS, ids=[heading for heading, _ in QUESTIONS])
def test_the_question_has_an_answer(
    heading: str, query: str, rich: Path, tmp_path: Path, command: RunCommand
) -> None:
    file = tmp_path / "query.sql"
    file.write_text(query, encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(command("warehouse", "sql", file, "--json", "--db", rich).stdout)
    assert found, heading
    # A column that is NULL throughout answers nothing; at_8 and such are NULL for some rows only.
    for column in found[0]:
        assert any(row[column] is not None for row in found), column


def test_the_disagreements_tell_what_a_person_overruled(rich: Path, command: RunCommand) -> None:
    query = next(query for heading, query in QUESTIONS if "disagree" in heading)
    everything = query.replace("LIMIT 20", "")
    found = rows(command, rich, everything)
    assert {row["gold"] for row in found if row["source"] == "decision"} == {"Related"}
    assert any(row["gold"] is None for row in found)
