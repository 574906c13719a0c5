"""``eval metrics`` and ``eval calibrate`` on a store with frozen splits."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

from curation.__main__ import main as curation
from eval.__main__ import main
from eval.evidence import read_evidence
from eval.metrics.measure import measure
from eval.predict.members import keep, read_members, values_id
from eval.predictors import Predictor
from tests.eval.arrays import draws
from tests.warehouse.support import row
from warehouse.ids import content_id
from warehouse.ledger import Run
from warehouse.parts import insert_rows
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    import click

QUERIES = 80
ITEMS = 5
SURE = Predictor("sure", "file")
PLAIN = Predictor("plain", "file")
PARTITION = content_id("partition", "test")
FLATTERING = content_id("partition", "flattering")
FOREIGN = content_id("partition", "foreign")


def run(group: click.Group, *arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(group, [*map(str, arguments)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout if code == 0 else done.stderr


def in_json(store: Store, verb: str, *arguments: object) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run(main, verb, *arguments, "--db", store.path, "--json"))
    return told


def table(store: Store, sql: str) -> list[tuple[Any, ...]]:
    with store.read() as connection:
        return connection.execute(sql).fetchall()


def judge(predictor: Predictor, store: Store, split: str, seed: int, power: float) -> None:
    """Predictions around gold, too sure of themselves by a temperature of `power`."""
    with store.read() as connection:
        members = read_members(connection, split)
        gold = connection.execute(
            "SELECT tier FROM split_members WHERE split = ? ORDER BY pair_id", [split]
        ).fetchnumpy()["tier"]
    powers = draws(np.asarray(gold, np.int64), np.random.default_rng(seed), 0.6) ** power
    tier_probs = powers / powers.sum(axis=1, keepdims=True)
    ledger = Run("predict", {})
    with store.write(ledger) as connection:
        bases = [values_id(probs) for probs in tier_probs.tolist()]
        keep(connection, ledger, predictor, members, range(len(gold)), tier_probs, bases)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two splits of forty queries, predicted by two, and partitions. Copy before changing it."""
    folder = tmp_path_factory.mktemp("metrics")
    rng = np.random.default_rng(0)
    judged = folder / "judged.csv"
    with judged.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("query", "title", "label", "weight", "locale"))
        for number in range(QUERIES):
            words = (
                f"{'fit' if number % 2 else 'held'} {' '.join(f'w{n}' for n in rng.integers(10**6, size=3))}"
            )
            for item in range(ITEMS):
                title = " ".join(f"t{n}" for n in rng.integers(10**6, size=6))
                writer.writerow(
                    (words, title, (number + item) % 4 + 1, 1 + item, "de" if number % 3 else "en")
                )
    store = Store(folder / "tierwise.duckdb")
    maps = [f"{name}={name}" for name in ("query", "title", "label", "weight", "locale")]
    run(curation, "ingest", "table", judged, "--map", *maps, "--db", store.path)
    for name, words in (("calibration", "fit"), ("eval", "held")):
        where = f"query LIKE '{words} %'"
        run(curation, "split", "create", name, "--role", name, "--where", where, "--db", store.path)
        judge(SURE, store, f"{name}_v1", 1, 3.0)
        judge(PLAIN, store, f"{name}_v1", 2, 1.0)
    ledger = Run("partition", {})
    with store.write(ledger) as connection:
        insert_rows(
            connection,
            "partitions",
            [
                row(
                    "partitions",
                    partition_id=str(partition),
                    predictor_id=str(predictor.predictor_id),
                    fit_split=split,
                    judge_split="eval_v1",
                    thetas=[0.4, 0.4, 0.4],
                    run_id=str(ledger.run_id),
                )
                for partition, predictor, split in (
                    (PARTITION, SURE, "calibration_v1"),
                    (FLATTERING, SURE, "eval_v1"),
                    (FOREIGN, PLAIN, "calibration_v1"),
                )
            ],
        )
    return store.path


@pytest.fixture
def store(shelf: Path, tmp_path: Path) -> Store:
    """A copy of `shelf` to change."""
    copy = tmp_path / "tierwise.duckdb"
    copy.write_bytes(shelf.read_bytes())
    return Store(copy)


MEASURE = ("--predictor", "sure", "--split", "eval_v1", "--resamples", 100)
CALIBRATE = ("--predictor", "sure", "--fit", "calibration_v1", "--judge", "eval_v1", "--resamples", 100)


def test_metrics_are_told_and_stored_once(store: Store) -> None:
    told = in_json(store, "metrics", *MEASURE)
    with store.read() as connection:
        evidence = read_evidence(connection, "sure", "eval_v1")
    assert told["weighted"]
    assert (told["pairs"], told["queries"]) == (200, 40)
    for found, expected in zip(told["metrics"], measure(evidence, resamples=100), strict=True):
        assert found["metric"] == expected.metric
        assert (found["value"], found["low"], found["high"]) == pytest.approx(
            (expected.value, expected.low, expected.high), abs=1e-8
        )
    assert {of["slice_value"] for of in told["slices"]} == {"en", "de"}
    everything = "SELECT * FROM evaluations ORDER BY evaluation_id"
    rows = table(store, everything)
    assert len(rows) == len(told["metrics"]) + len(told["slices"]) == told["new"]
    again = in_json(store, "metrics", *MEASURE)
    assert (again["new"], again["changed"], again["removed"]) == (0, 0, 0)
    assert table(store, everything) == rows


def test_other_settings_take_the_place_of_the_former(store: Store) -> None:
    in_json(store, "metrics", *MEASURE)
    told = in_json(store, "metrics", *MEASURE, "--k", 3, "--seed", 1)
    assert told["new"] == told["removed"] == 3
    assert table(store, "SELECT DISTINCT metric FROM evaluations WHERE metric LIKE 'ndcg%'") == [("ndcg_3",)]


def test_a_partition_decides_the_tiers(store: Store) -> None:
    told = in_json(store, "metrics", *MEASURE, "--partition", str(PARTITION)[:10])
    argmax = in_json(store, "metrics", *MEASURE)
    values = [{of["metric"]: of["value"] for of in each["metrics"]} for each in (told, argmax)]
    assert values[0]["accuracy"] != values[1]["accuracy"]
    assert values[0]["log_loss"] == values[1]["log_loss"]
    assert not told["warnings"]
    counts = table(store, "SELECT partition_id, count(*) FROM evaluations GROUP BY ALL")
    assert sorted(count for _, count in counts) == [counts[0][1]] * 2
    flattered = run(main, "metrics", *MEASURE, "--partition", FLATTERING, "--db", store.path)
    assert "! judged on eval_v1, on which it was fitted" in flattered


def test_a_partition_of_another_predictor_is_refused(store: Store) -> None:
    told = run(main, "metrics", *MEASURE, "--partition", FOREIGN, "--db", store.path, code=1)
    assert "cuts the probabilities of plain" in told
    told = run(main, "metrics", *MEASURE, "--partition", "ffffff", "--db", store.path, code=1)
    assert "no partition ffffff; the newest are " in told
    assert f"{str(PARTITION)[:8]} of sure" in told


def test_paired_differences(store: Store) -> None:
    told = in_json(store, "metrics", *MEASURE, "--versus", "plain")
    found = {of["metric"]: of for of in told["metrics"]}
    assert found["log_loss"]["value"] == pytest.approx(
        found["log_loss"]["ours"] - found["log_loss"]["theirs"]
    )
    assert found["log_loss"]["low"] > 0
    assert table(store, "SELECT DISTINCT versus_id FROM evaluations") == [(PLAIN.predictor_id,)]
    itself = in_json(store, "metrics", *MEASURE, "--versus", "sure")
    assert {(of["value"], of["low"], of["high"]) for of in itself["metrics"]} == {(0.0, 0.0, 0.0)}
    printed = run(main, "metrics", *MEASURE, "--versus", "plain", "--db", store.path)
    assert "sure (most probable tier) less plain (most probable tier) on eval_v1: 200 pairs" in printed


def test_two_predictors_are_compared_on_the_pairs_that_both_decided(store: Store) -> None:
    with store.write(Run("test", {})) as connection:
        connection.execute(
            "UPDATE predictions SET tier_probs = NULL, reason = 'no tier' WHERE prediction_id = (SELECT "
            "min(prediction_id) FROM predictions SEMI JOIN (FROM split_members WHERE split = 'eval_v1') "
            "USING (pair_id) WHERE predictor_id = ?)",
            [PLAIN.predictor_id],
        )
    told = run(main, "metrics", *MEASURE, "--versus", "plain", "--db", store.path)
    assert "on eval_v1: 199 pairs" in told
    assert "1 that only sure did, 0 that only plain did" in told


def test_what_to_know_before_believing_is_marked(store: Store) -> None:
    with store.write(Run("test", {})) as connection:
        connection.execute("UPDATE split_members SET tier = 1 WHERE split = 'eval_v1' AND tier = 2")
        connection.execute(
            "UPDATE predictions SET tier_probs = NULL, reason = 'no tier' WHERE predictor_id = ? AND pair_id IN "
            "(SELECT pair_id FROM pairs JOIN queries q USING (query_id) ORDER BY q.text DESC, pair_id LIMIT 75)",
            [SURE.predictor_id],
        )
    printed = run(main, "metrics", *MEASURE, "--db", store.path)
    assert "! no pair of eval_v1 has gold tier 2: F1 of it is 0, as " in printed
    assert "! eval_v1 has 25 queries only" in printed
    assert "! 75 pairs of eval_v1 have no prediction and are left out: no tier 75" in printed
    assert "! eval_v1 is not what was frozen any more" in printed
    assert "metric           value" in printed
    assert "Slices, worst macro-F1 first" in printed


def test_what_takes_long_says_so_before_it_starts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [*map(str, MEASURE), "--db", str(store.path)]
    assert not CliRunner().invoke(main, ["metrics", *asked]).stderr
    monkeypatch.setattr("eval.metrics.ranks._AUC_SECONDS", 1e-3)
    told = CliRunner().invoke(main, ["metrics", *asked]).stderr
    assert told.startswith(
        "The intervals of auc_2, auc_3 and auc_4 rank 200 pairs anew in 100 resamples: about 60 s"
    )


def test_queries_without_a_ranking_are_told(store: Store) -> None:
    with store.write(Run("test", {})) as connection:
        connection.execute(
            "UPDATE split_members SET tier = 1 WHERE split = 'eval_v1' AND query_id = "
            "(SELECT min(query_id) FROM split_members WHERE split = 'eval_v1')"
        )
    printed = run(main, "metrics", *MEASURE, "--db", store.path)
    assert "ndcg_10: over 39 of 40 queries; the others have one pair, or none above tier 1" in printed
    assert (
        next(of for of in in_json(store, "metrics", *MEASURE)["metrics"] if of["metric"] == "ndcg_10")[
            "queries"
        ]
        == 39
    )


@pytest.mark.parametrize("method", ["temperature", "dirichlet"])
def test_a_calibrated_predictor_is_one_like_any_other(method: str, store: Store) -> None:
    told = in_json(store, "calibrate", *CALIBRATE, "--method", method)
    assert told["predictor"] == f"sure.{method}"
    assert told["predictions"] == 400
    found = {of["metric"]: of for of in told["differences"]}
    assert list(found) == ["accuracy", "macro_f1", "log_loss", "brier", "ece"]
    assert found["log_loss"]["high"] < 0
    assert found["ece"]["value"] < 0
    if method == "temperature":
        assert 2 < told["temperature"] < 4
        assert found["accuracy"]["value"] == 0
    measured = in_json(store, "metrics", *("--predictor", f"sure.{method}"), *MEASURE[2:])
    assert next(of["value"] for of in measured["metrics"] if of["metric"] == "log_loss") == pytest.approx(
        found["log_loss"]["ours"], abs=1e-8
    )
    everything = "SELECT * FROM predictions ORDER BY prediction_id"
    rows = table(store, everything)
    again = in_json(store, "calibrate", *CALIBRATE, "--method", method)
    assert (again["predictor_id"], again["predictions"]) == (told["predictor_id"], 0)
    assert table(store, everything) == rows
    assert table(store, "SELECT count(*) FROM predictors WHERE kind = 'calibrated'") == [(1,)]


def test_pairs_without_a_tier_stay_without_one(store: Store) -> None:
    with store.write(Run("test", {})) as connection:
        connection.execute(
            "UPDATE predictions SET tier_probs = NULL, reason = 'no tier' WHERE pair_id = "
            "(SELECT min(pair_id) FROM split_members WHERE split = 'eval_v1')"
        )
    in_json(store, "calibrate", *CALIBRATE)
    told = in_json(store, "metrics", "--predictor", "sure.temperature", *MEASURE[2:])
    assert told["undecided"] == {"no tier": 1}


def test_a_split_does_not_judge_what_was_fitted_on_it(store: Store) -> None:
    same = ("--predictor", "sure", "--fit", "eval_v1", "--judge", "eval_v1", "--db", store.path)
    assert "eval_v1 cannot judge what was fitted on it" in run(main, "calibrate", *same, code=1)
    printed = run(main, "calibrate", *same, "--same-split", "--resamples", 100)
    assert "! judged on eval_v1, on which it was fitted: these numbers flatter it" in printed
    assert "sure was too sure of itself" in printed


def test_a_fit_on_little_is_marked(store: Store) -> None:
    where = "query LIKE 'fit w1%' AND tier <> 3"
    run(
        curation,
        *("split", "create", "small", "--role", "calibration", "--where", where),
        *("--db", store.path),
    )
    small = ("--predictor", "sure", "--fit", "small_v1", "--judge", "eval_v1", "--db", store.path)
    printed = run(main, "calibrate", *small, "--resamples", 100)
    assert "queries only; it takes 30 or more to rely on it" in printed
    assert "! no pair of small_v1, on which it was fitted, has gold tier 3" in printed
    told = run(main, "calibrate", *small, "--method", "dirichlet", code=1)
    assert "no pair of small_v1 has gold tier 3, so dirichlet would never predict it" in told
