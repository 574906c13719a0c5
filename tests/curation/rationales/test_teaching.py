"""What splits teach of rationales."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from curation.backends import Failure
from curation.rationales.rationale import Rationale
from tests.curation.conftest import rows
from tests.curation.rationales.conftest import Scripted, rationale_of
from tests.curation.rationales.test_writing import write
from warehouse.ids import content_id
from warehouse.ledger import Run, utc_now
from warehouse.parts import insert_rows
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand


def split(command: RunCommand, store: Path, *options: str, name: str = "taught") -> dict[str, Any]:
    done = command("curation", "split", "create", name, *options, "--json", "--db", store)
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def completions(command: RunCommand, store: Path, name: str = "taught_v1") -> list[dict[str, Any]]:
    """The SFT payload as trainers read it."""
    out = store.parent / f"export-{name}"
    command("curation", "export", name, "--format", "parquet", "--out", out, "--db", store)
    table: list[dict[str, Any]] = pq.read_table(out / "sft.parquet").to_pylist()
    return table


def outcome(store: Path, sample_id: str, outcome: str, correction: tuple[int, str] | None = None) -> None:
    """What reviews of a sample come to, with the text and tier that a person wrote in its place."""
    run = Run("decide", {})
    with Store(store).write(run) as connection:
        pair_id = connection.execute(
            "SELECT CAST(pair_id AS VARCHAR) FROM samples WHERE sample_id = ?", [sample_id]
        ).fetchall()[0][0]
        rationale_id = None
        if correction:
            rationale_id = str(content_id("rationale", sample_id, correction[1]))
            written = {"tier": correction[0], "text": correction[1], "source": "review", "written_by": "ann"}
            insert_rows(
                connection,
                "rationales",
                [
                    {
                        "rationale_id": rationale_id,
                        "pair_id": pair_id,
                        "written_at": utc_now(),
                        "corrects_sample_id": sample_id,
                        "run_id": str(run.run_id),
                        **written,
                    }
                ],
            )
        insert_rows(
            connection,
            "review_outcomes",
            [
                {
                    "sample_id": sample_id,
                    "pair_id": pair_id,
                    "outcome": outcome,
                    "reviews": 2,
                    "accepting": 1,
                    "p_accepted": 0.5,
                    "rule": "majority",
                    "rationale_id": rationale_id,
                    "run_id": str(run.run_id),
                }
            ],
        )


@pytest.mark.parametrize("form", ["answer-first", "reason-first"])
def test_one_rationale_completes_prompts_of_both_formats(command: RunCommand, shop: Path, form: str) -> None:
    command("curation", "rationales", "--teacher", "shop", "--db", shop)
    made = split(command, shop, "--rationales", "shop", "--prompt", form)
    assert made["completions"] == 80
    for row in completions(command, shop):
        text = row["completion"][0]["content"]
        if form == "answer-first":
            tier, reasoning = text.split("\n", 1)
        else:
            reasoning, tier = text.rsplit("\nTier: ", 1)
        assert Rationale.parse(reasoning).tier == int(tier)
        assert "<rules>" not in row["prompt"][1]["content"]
    command("curation", "split", "verify", "taught_v1", "--db", shop)


def test_only_what_lands_on_gold_is_taught_and_blind_comes_first(command: RunCommand, shop: Path) -> None:
    write(shop, Scripted(lambda *_: rationale_of("Mismatch", "a blind view")), "blind", tries=1)
    assert split(command, shop, "--rationales", "any")["completions"] == 20
    command("curation", "rationales", "--teacher", "shop", "--db", shop)
    assert split(command, shop)["completions"] == 80
    texts = [row["completion"][0]["content"] for row in completions(command, shop, "taught_v2")]
    assert sum("a blind view" in text for text in texts) == 20
    assert split(command, shop, "--rationales", "shop")["completions"] == 80
    texts = [row["completion"][0]["content"] for row in completions(command, shop, "taught_v3")]
    assert not any("a blind view" in text for text in texts)
    card = (shop.parent / "export-taught_v3" / "README.md").read_text()
    assert "80 are rationales of teachers who were told the gold tier" in card
    golds = [row["rationale_gold"] for row in completions(command, shop, "taught_v2")]
    assert (golds.count("blind"), golds.count("conditioned")) == (20, 60)
    assert "0 of 80 completions and chosen sides are corrections that people wrote" in card


def test_reviews_of_a_teachers_sample_count(command: RunCommand, shop: Path) -> None:
    command("curation", "rationales", "--teacher", "shop", "--db", shop)
    found = rows(
        command, shop, "SELECT sample_id, pair_id, tier FROM rationales ORDER BY rationale_id LIMIT 3"
    )
    rejected, corrected, accepted = found
    outcome(shop, rejected["sample_id"], "rejected")
    outcome(shop, corrected["sample_id"], "corrected", (corrected["tier"], "what a person wrote"))
    outcome(shop, accepted["sample_id"], "accepted")
    assert split(command, shop)["completions"] == 79
    taught = {row["pair_id"]: row["completion"][0]["content"] for row in completions(command, shop)}
    assert rejected["pair_id"].replace("-", "") not in taught
    written = taught[corrected["pair_id"].replace("-", "")]
    assert written == f"{corrected['tier']}\nwhat a person wrote"
    assert split(command, shop, "--reviewed", "accepted")["pairs"] == 2


def test_a_rationale_of_another_text_of_the_item_is_not_taught(command: RunCommand, shop: Path) -> None:
    command("curation", "rationales", "--teacher", "shop", "--db", shop)
    pair = rows(
        command, shop, "SELECT pair_id, item_id, item_version_id FROM pairs ORDER BY pair_id LIMIT 1"
    )[0]
    with Store(shop).write(Run("test", {})) as connection:
        other = str(content_id("another text"))
        connection.execute(
            "INSERT INTO item_versions BY NAME SELECT * REPLACE (? AS item_version_id, 9 AS version, "
            "'Another title' AS title) FROM item_versions WHERE item_version_id = ?",
            [other, pair["item_version_id"]],
        )
        connection.execute("UPDATE pairs SET item_version_id = ? WHERE pair_id = ?", [other, pair["pair_id"]])
    assert split(command, shop, "--rationales", "shop")["completions"] == 79


def test_without_a_rationale_that_lands_a_split_of_rationales_is_refused(
    command: RunCommand, shop: Path
) -> None:
    refused = ("curation", "split", "create", "taught", "--rationales", "any", "--db", shop)
    assert "there are rationales by nobody" in command(*refused, code=1).stderr
    command("curation", "rationales", "--teacher", "shop", "--db", shop)
    named = ("curation", "split", "create", "taught", "--rationales", "gpt", "--db", shop)
    assert "there are rationales by shop" in command(*named, code=1).stderr


def test_a_takedown_takes_rationales_along(command: RunCommand, shop: Path) -> None:
    write(shop, Scripted(lambda *_: "no form"), "chatty", tries=1)
    quoting = Scripted(lambda prompt, _: Failure("", f"422 {prompt[:200]}"))
    write(shop, quoting, "quoting", tries=1)
    command("curation", "rationales", "--teacher", "shop", "--db", shop)
    item = rows(command, shop, "SELECT item_id FROM pairs ORDER BY pair_id LIMIT 1")[0]["item_id"]
    command("warehouse", "takedown", "--item", item, "--reason", "asked", "--db", shop)
    texts = rows(
        command,
        shop,
        "SELECT string_agg(DISTINCT a.text || r.detail || s.text || array_to_string(a.rules_cited, '') || f.reason, "
        "'') AS left_over FROM pairs p JOIN rationales a USING (pair_id) JOIN rationale_rejects r USING (pair_id) "
        f"JOIN samples s USING (pair_id) JOIN sample_failures f USING (pair_id) WHERE p.item_id = '{item}'",
    )
    assert texts == [{"left_over": "[taken down]"}]


def test_a_rationale_is_chosen_where_the_model_never_solves(
    command: RunCommand, shop: Path, tiny_model: Path
) -> None:
    drawn = ("--n", "2", "--max-tokens", "24", "--model", tiny_model, "--db", shop)
    command("curation", "sample", *drawn)
    teacher = json.loads(
        command("curation", "rationales", "--teacher", "shop", "--json", "--db", shop).stdout
    )
    of_teacher = ("--teacher", teacher["configuration"], "--max-length-ratio", "50")
    told = json.loads(command("curation", "pairs", *of_teacher, "--json", "--db", shop).stdout)
    assert told["from_teacher"] > 0
    found = rows(command, shop, "FROM preferences WHERE chosen_rationale_id IS NOT NULL")
    assert len(found) == told["from_teacher"]
    for row in found:
        tier, reasoning = row["chosen"].split("\n", 1)
        assert row["chosen_sample_id"] is None
        assert Rationale.parse(reasoning).tier == int(tier) == row["gold_tier"] != row["rejected_tier"]
        assert row["length_ratio"] >= 1
    split(command, shop)
    command("curation", "split", "verify", "taught_v1", "--db", shop)
    out = shop.parent / "export"
    command("curation", "export", "taught_v1", "--format", "parquet", "--out", out, "--db", shop)
    chosen = {row["chosen"][0]["content"] for row in pq.read_table(out / "dpo.parquet").to_pylist()}
    assert {row["chosen"] for row in found} <= chosen
    lineage = command("warehouse", "lineage", found[0]["preference_id"], "--db", shop).stdout
    assert "rationale over rejected" in lineage
    assert "gold-conditioned by shop" in lineage
    again = json.loads(command("curation", "pairs", *of_teacher, "--json", "--db", shop).stdout)
    assert (again["new"], again["withdrawn"]) == (0, 0)
