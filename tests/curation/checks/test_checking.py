"""Texts of a store are checked once, findings are rows, and what is taught can do without them."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.curation.conftest import rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand, RunProcess


@pytest.fixture(scope="session")
def taught_store(shop_store: Path, tmp_path_factory: pytest.TempPathFactory, command: RunCommand) -> Path:
    """`shop_store` with the shop's rationales. Copy before changing it."""
    copy = tmp_path_factory.mktemp("taught") / "shop.duckdb"
    copy.write_bytes(shop_store.read_bytes())
    command("curation", "rationales", "--teacher", "shop", "--db", copy)
    return copy


@pytest.fixture
def taught(taught_store: Path, tmp_path: Path) -> Path:
    """A copy of `taught_store` to change."""
    copy = tmp_path / "taught.duckdb"
    copy.write_bytes(taught_store.read_bytes())
    return copy


def check(command: RunCommand, store: Path, *options: str) -> dict[str, object]:
    summary: dict[str, object] = json.loads(
        command("curation", "check", *options, "--db", store, "--json").stdout
    )
    return summary


def change(store: Path, statement: str) -> None:
    with duckdb.connect(str(store)) as connection:
        connection.execute(statement)


def flip_a_verdict(store: Path) -> None:
    """Make one Irrelevant rationale say Excellent."""
    change(
        store,
        "UPDATE samples SET tier = 4, text = replace(replace(text, 'Verdict: Irrelevant', 'Verdict: Excellent'), "
        "'Tier: 1', 'Tier: 4') WHERE sample_id = (SELECT min(sample_id) FROM samples WHERE tier = 1)",
    )


def test_every_text_is_read_once(command: RunCommand, taught: Path) -> None:
    some = check(command, taught, "--where", "tier = 1")
    assert some["checked"] == 20
    rest = check(command, taught)
    assert rest["checked"] == 60
    assert check(command, taught) == {"checked": 0, "with_findings": 0, "findings": {}}
    assert rows(
        command, taught, "SELECT count(*) AS n, count(DISTINCT text_id) AS texts FROM checked_texts"
    ) == [{"n": 80, "texts": 80}]


def test_a_finding_says_what_where_and_against_what(command: RunCommand, taught: Path) -> None:
    flip_a_verdict(taught)
    check(command, taught)
    [found] = rows(
        command,
        taught,
        "SELECT kind, finding, step, severity, words, evidence, model, query_kind, sample_id IS NOT NULL AS of_sample "
        "FROM current_findings WHERE kind = 'verdict'",
    )
    assert found["words"].startswith("Verdict: Excellent")
    assert found["evidence"] == "the steps lead to Irrelevant by other-goods; the verdict is Excellent"
    assert (found["finding"], found["step"], found["severity"], found["model"], found["of_sample"]) == (
        "steps against verdict",
        "verdict",
        "error",
        "shop",
        True,
    )
    [by_step] = rows(
        command,
        taught,
        "SELECT sum(texts) AS texts, sum(found) AS found FROM hallucinations "
        "WHERE kind = 'verdict' AND step = 'verdict'",
    )
    assert by_step == {"texts": 80, "found": 1}
    in_all = rows(
        command,
        taught,
        "SELECT query_kind, sum(texts) AS texts, sum(found) AS found FROM hallucinations "
        "WHERE kind = 'verdict' AND step = 'any' GROUP BY ALL ORDER BY found DESC",
    )
    assert [row["found"] for row in in_all] == [1, 0, 0, 0, 0]
    assert in_all[0]["query_kind"] == found["query_kind"]
    [finding] = rows(command, taught, "SELECT finding_id FROM findings WHERE kind = 'verdict'")
    lineage = command("warehouse", "lineage", finding["finding_id"], "--db", taught).stdout
    assert "verdict: steps against verdict in step verdict" in lineage
    assert "sample" in lineage


def test_killed_between_parts_it_goes_on(command: RunCommand, process: RunProcess, taught: Path) -> None:
    process("curation", "check", "--db", taught, code=-signal.SIGKILL, env={"TIERWISE_DIE_AT": "part"})
    process("curation", "check", "--db", taught, code=-signal.SIGKILL, env={"TIERWISE_DIE_AT": "merge"})
    check(command, taught)
    assert rows(
        command, taught, "SELECT count(*) AS n, count(DISTINCT text_id) AS texts FROM checked_texts"
    ) == [{"n": 80, "texts": 80}]
    assert rows(
        command,
        taught,
        "SELECT count(*) AS n FROM (SELECT text_id, findings FROM checked_texts) c LEFT JOIN "
        "(SELECT text_id, count(*) AS n FROM findings GROUP BY 1) f USING (text_id) "
        "WHERE c.findings <> coalesce(f.n, 0)",
    ) == [{"n": 0}]


def test_what_was_taken_down_is_skipped_and_leaves_no_evidence(command: RunCommand, taught: Path) -> None:
    flip_a_verdict(taught)
    check(command, taught)
    [found] = rows(
        command,
        taught,
        "SELECT item_id, text_id FROM findings JOIN pairs USING (pair_id) WHERE kind = 'verdict'",
    )
    command("warehouse", "takedown", "--item", found["item_id"], "--reason", "asked for", "--db", taught)
    assert rows(
        command, taught, f"SELECT DISTINCT evidence FROM findings WHERE text_id = '{found['text_id']}'"
    ) == [{"evidence": ""}]
    change(taught, "DELETE FROM checked_texts")
    gone = rows(command, taught, "SELECT count(*) AS n FROM samples WHERE text = ''")[0]["n"]
    assert gone
    assert check(command, taught)["checked"] == 80 - gone


def test_splits_can_do_without_findings(command: RunCommand, taught: Path) -> None:
    change(
        taught,
        "UPDATE samples SET text = replace(text, 'other-goods', 'no-such-rule') "
        "WHERE sample_id = (SELECT min(sample_id) FROM samples WHERE tier = 1)",
    )

    def split(*options: str) -> dict[str, Any]:
        named = ("curation", "split", "create", "taught", "--rationales", "shop", "--prompt", "reason-first")
        made: dict[str, Any] = json.loads(command(*named, *options, "--db", taught, "--json").stdout)
        return made

    assert split()["completions"] == 80
    without = split("--require", "cited")
    assert without["completions"] == 79
    assert json.loads(without["recipe"])["require"] == ["cited"]
    # It ran the checks itself, and what stands has none of the findings.
    unfit = "SELECT f.text_id FROM findings f WHERE f.kind = 'rule'"
    assert len(rows(command, taught, unfit)) == 1
    assert rows(
        command,
        taught,
        "SELECT count(*) AS n FROM split_completions c JOIN rationales a ON a.rationale_id = c.rationale_id "
        f"WHERE c.split = 'taught_v2' AND a.sample_id IN ({unfit})",
    ) == [{"n": 0}]


def test_preferences_can_do_without_findings(
    command: RunCommand, sampled_store: Path, tmp_path: Path
) -> None:
    store = tmp_path / "sampled.duckdb"
    store.write_bytes(sampled_store.read_bytes())
    before = rows(command, store, "SELECT count(*) AS n FROM preferences")[0]["n"]
    assert before
    told = json.loads(
        command(
            "curation",
            "pairs",
            "--max-length-ratio",
            "8",
            "--require",
            "grounded,formed",
            "--db",
            store,
            "--json",
        ).stdout
    )
    assert "no finished grounded, formed sample" in told["prompts_without"]
    assert rows(
        command,
        store,
        "SELECT count(*) AS n FROM preferences p JOIN findings f ON f.text_id = p.chosen_sample_id "
        "WHERE f.kind IN ('grounding', 'form')",
    ) == [{"n": 0}]
    assert rows(command, store, "SELECT count(*) AS n FROM preferences")[0]["n"] < before


def test_an_unknown_requirement_is_named(command: RunCommand, taught: Path) -> None:
    error = command("curation", "pairs", "--require", "grounded,nice", "--db", taught, code=2).stderr
    assert "no 'nice'; there are consistent, grounded, cited, formed, original" in error


def test_a_bad_condition_is_told_in_one_line(command: RunCommand, taught: Path) -> None:
    error = command("curation", "check", "--where", "nonsense = 1", "--db", taught, code=1).stderr
    assert error.startswith("Error: --where 'nonsense = 1'")
    assert error.count("\n") == 1


@pytest.mark.parametrize("descent", ["trained on the split", "trained from that one", "of another split"])
def test_a_model_that_learnt_rationales_is_held_to_their_rulebook(
    command: RunCommand, taught: Path, tmp_path: Path, descent: str
) -> None:
    from curation.backends import Decoding
    from curation.configurations import Configuration
    from curation.prompts import load_template
    from curation.sampling import sample
    from tests.curation.rationales.conftest import Scripted, model
    from warehouse.store import Store

    command(
        "curation",
        "split",
        "create",
        "learn",
        "--rationales",
        "shop",
        "--where",
        "kind = 'plain'",
        "--db",
        taught,
    )
    [right] = rows(
        command, taught, "SELECT pair_id, text FROM samples WHERE tier = 1 ORDER BY sample_id LIMIT 1"
    )
    flipped = right["text"].replace("Verdict: Irrelevant", "Verdict: Excellent").replace("Tier: 1", "Tier: 4")
    said = flipped.replace("Rules: ", "Rules: no-such-rule, ")
    student = Configuration(model("student", tmp_path), load_template("reason-first"), Decoding())
    answering = Scripted(lambda *_: said)
    sample(Store(taught), student, lambda: answering, n=1, where=f"pair_id = '{right['pair_id']}'")
    split = "other_v1" if descent == "of another split" else "learn_v1"
    change(taught, f"UPDATE models SET split = '{split}' WHERE name = 'student'")
    if descent == "trained from that one":
        change(
            taught,
            "INSERT INTO models BY NAME SELECT * REPLACE ('00000000-0000-0000-0000-000000000001' AS model_id, "
            "'elder' AS name) FROM models WHERE name = 'student'",
        )
        change(
            taught,
            "UPDATE models SET split = 'other_v1', parent_id = '00000000-0000-0000-0000-000000000001' "
            "WHERE name = 'student'",
        )
    check(command, taught)
    found = rows(
        command, taught, "SELECT kind, finding FROM current_findings WHERE model = 'student' ORDER BY kind"
    )
    expected = [
        {"kind": "rule", "finding": "no such rule"},
        {"kind": "verdict", "finding": "steps against verdict"},
    ]
    assert found == ([] if descent == "of another split" else expected)
