"""``eval partition fit`` and ``export`` on a store with frozen splits."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from eval.__main__ import main
from tests.eval.test_metrics_commands import SURE, in_json, run, shelf, table
from warehouse.store import Store

__all__ = ["shelf"]

BASE = ("--predictor", "sure", "--fit", "calibration_v1", "--judge", "eval_v1", "--resamples", "200")


@pytest.fixture
def store(shelf: Path, tmp_path: Path) -> Store:
    copy = Path(shutil.copy(shelf, tmp_path / "tierwise.duckdb"))
    with duckdb.connect(str(copy)) as connection:
        connection.execute("DELETE FROM partitions")
    return Store(copy)


def fit(store: Store, *more: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        run(main, "partition", "fit", *BASE, *more, "--db", store.path, "--json", code=code)
    )
    return found


def test_a_partition_is_kept_with_what_it_was_held_against(store: Store) -> None:
    found = fit(store)
    row = table(
        store,
        "SELECT CAST(partition_id AS VARCHAR), kind, objective, thetas, fit_split, judge_split, same_split, theta_low, "
        "theta_high, fit_value, judge_value, details FROM partitions",
    )
    assert len(row) == 1
    kept = row[0]
    assert kept[0] == found["partition_id"]
    assert kept[2:7] == ("macro_f1", found["thetas"], "calibration_v1", "eval_v1", False)
    alternatives = {other["name"]: other for other in json.loads(kept[11])["alternatives"]}
    assert set(alternatives) == {"argmax", "one theta", "per boundary", "score thresholds"}
    chosen = alternatives[found["chosen"]]
    assert (kept[9], kept[10]) == (chosen["fit"]["macro_f1"], chosen["judge"]["macro_f1"]["value"])
    if found["chosen"] == "one theta":
        assert kept[7] <= kept[3][0] + 0.2
        assert 0 < kept[7] <= kept[8] <= 1
    # What the partition is said to come to is what metrics measure with it.
    measured = in_json(
        store, "metrics", "--predictor", "sure", "--split", "eval_v1", "--partition", kept[0][:8]
    )
    by_name = {m["metric"]: m for m in measured["metrics"]}
    assert by_name["macro_f1"]["value"] == pytest.approx(kept[10])


def test_the_same_fit_again_keeps_the_partition_that_is_there(store: Store) -> None:
    content = "SELECT * EXCLUDE (created_at, run_id) FROM partitions ORDER BY partition_id"
    first, other = fit(store), fit(store, "--objective", "accuracy")
    before = table(store, content)
    assert fit(store)["partition_id"] == first["partition_id"] != other["partition_id"]
    assert table(store, content) == before
    # The one fitted last is the newest.
    newest = "SELECT CAST(partition_id AS VARCHAR) FROM partitions ORDER BY created_at DESC LIMIT 1"
    assert table(store, newest) == [(first["partition_id"],)]


def test_lineage_leads_from_what_was_found_to_where_it_came_from(store: Store) -> None:
    from warehouse.__main__ import main as warehouse

    partition = fit(store)["partition_id"]
    in_json(store, "metrics", "--predictor", "sure", "--split", "eval_v1", "--partition", partition)
    evaluation = table(
        store, "SELECT CAST(evaluation_id AS VARCHAR) FROM evaluations WHERE partition_id IS NOT NULL"
    )
    prediction = table(store, "SELECT CAST(prediction_id AS VARCHAR) FROM predictions ORDER BY 1")
    for found, words in (
        (partition, ("sure", "calibration_v1", "macro_f1")),
        (evaluation[0][0], ("sure", "eval_v1", "thetas")),
        (prediction[0][0], ("p(1..4) [", "query", "judged.csv")),
    ):
        said = run(warehouse, "lineage", found[:12], "--db", store.path)
        assert all(word in said for word in words), said


def test_an_objective_and_a_cost_decide_otherwise(store: Store) -> None:
    accuracy = fit(store, "--objective", "accuracy")
    by_name = {other["name"]: other for other in accuracy["alternatives"]}
    assert by_name["one theta"]["fit"]["accuracy"] >= by_name["argmax"]["fit"]["accuracy"] - 0.05
    dear = fit(store, "--cost", "0,1,2,99;1,0,1,99;2,1,0,99;3,2,1,0")
    # Whoever takes an irrelevant item for excellent pays for it: tier 4 is rare.
    assert dear["shares"][0]["shares"][3] < accuracy["shares"][0]["shares"][3]
    assert table(store, "SELECT count(*) FROM partitions") == [(2,)]
    run(main, "partition", "fit", *BASE, "--cost", "1,2", "--db", store.path, code=1)


def test_the_same_split_is_refused_and_marked_where_allowed(store: Store) -> None:
    same = ("--predictor", "sure", "--fit", "eval_v1", "--judge", "eval_v1", "--db", store.path)
    assert "cannot judge what was fitted on it" in run(main, "partition", "fit", *same, code=1)
    said = run(main, "partition", "fit", *same, "--same-split", "--resamples", "100")
    assert "these numbers flatter it" in said
    ((partition, flag),) = table(store, "SELECT CAST(partition_id AS VARCHAR), same_split FROM partitions")
    assert flag
    for form in ("json", "sql", "python"):
        text = run(main, "partition", "export", partition[:8], "--format", form, "--db", store.path)
        assert "flatter" in text or json.loads(text)["same_split"] is True


def test_an_eval_split_is_not_fitted_on(store: Store) -> None:
    turned = ("--predictor", "sure", "--fit", "eval_v1", "--judge", "calibration_v1", "--db", store.path)
    assert "name a calibration split" in run(main, "partition", "fit", *turned, code=1)


def test_a_promise_is_proved_or_the_queries_it_would_take_are_told(store: Store) -> None:
    easy = fit(store, "--promise", "precision:4>=0.3", "--promise", "share:2<=0.9", "--confidence", "0.8")
    assert easy["chosen"] == "promised"
    assert [promise["made"] for promise in easy["promises"]] == [True, True]
    assert table(store, "SELECT json_array_length(promises) FROM partitions") == [(2,)]
    document = json.loads(
        run(main, "partition", "export", easy["partition_id"], "--format", "json", "--db", store.path)
    )
    assert [promise["promise"] for promise in document["promises"]] == ["precision:4>=0.3", "share:2<=0.9"]
    hard = fit(store, "--promise", "precision:4>=0.97")
    assert (hard["partition_id"], hard["chosen"], hard["thetas"]) == (None, None, None)
    assert hard["choice"].startswith("No threshold can promise precision of tier 4 ≥ 0.97")
    assert table(store, "SELECT count(*) FROM partitions") == [(1,)]
    assert table(
        store,
        "SELECT summary ->> '$.partition' IS NULL FROM runs WHERE kind = 'partition' ORDER BY started_at DESC",
    )[0] == (True,)


@pytest.mark.parametrize(
    ("promises", "words"),
    [
        (["share:2<=0.1", "share:2>=0.3"], "contradict each other"),
        (["precision:5>=0.9"], "tiers are"),
        (["precision:4>=1.5"], "no bound"),
        (["exactness:4>=0.5"], "unknown 'exactness'"),
    ],
)
def test_promises_that_cannot_be_are_refused_in_a_line(store: Store, promises: list[str], words: str) -> None:
    given = [part for promise in promises for part in ("--promise", promise)]
    said = run(main, "partition", "fit", *BASE, *given, "--db", store.path, code=1)
    assert words in said
    assert len(said.strip().splitlines()) == 1


def test_the_summary_shows_argmax_beside_it(store: Store) -> None:
    said = run(main, "partition", "fit", *BASE, "--db", store.path)
    for words in ("decided by", "argmax", "score thresholds", "macro_f1", "accuracy", "interval of the best"):
        assert words in said
    short = re.search(r"partition export (\w{8})", said)
    assert short
    assert "def tier" in run(main, "partition", "export", short[1], "--format", "python", "--db", store.path)


def test_an_export_goes_to_a_file_and_an_unknown_partition_is_named(store: Store, tmp_path: Path) -> None:
    partition = fit(store)["partition_id"]
    out = tmp_path / "cut.sql"
    run(main, "partition", "export", partition, "--format", "sql", "--out", out, "--db", store.path)
    with store.read() as connection:
        wrong = connection.execute(
            "SELECT count(*) FROM (SELECT tier_probs[1] AS p1, tier_probs[2] AS p2, tier_probs[3] AS p3, "
            f"tier_probs[4] AS p4 FROM current_predictions) WHERE ({out.read_text(encoding='utf-8')}) IS NULL"
        ).fetchall()
    assert wrong == [(0,)]
    said = run(main, "partition", "export", "beefbeef", "--format", "sql", "--db", store.path, code=1)
    assert partition[:8] in said


def test_a_missing_prediction_is_told(store: Store) -> None:
    with duckdb.connect(str(store.path)) as connection:
        connection.execute(
            "DELETE FROM predictions WHERE predictor_id = ? AND pair_id IN "
            "(SELECT pair_id FROM split_members WHERE split = 'calibration_v1' ORDER BY pair_id LIMIT 3)",
            [SURE.predictor_id],
        )
    said = run(main, "partition", "fit", *BASE, "--db", store.path, code=1)
    assert "has not predicted 3 of the" in said
