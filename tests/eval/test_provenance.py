"""What hangs together: predictions made anew, calibrations, splits that judge, names, a store that is held."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner

from eval.__main__ import main
from tests.eval.test_metrics_commands import in_json, run, shelf, table
from warehouse.store import Store

__all__ = ["shelf"]

SPLITS = ("--fit", "calibration_v1", "--judge", "eval_v1")
QUICK = ("--resamples", "100")


@pytest.fixture
def store(shelf: Path, tmp_path: Path) -> Store:
    copy = Path(shutil.copy(shelf, tmp_path / "tierwise.duckdb"))
    with duckdb.connect(str(copy)) as connection:
        connection.execute("DELETE FROM partitions")
    return Store(copy)


def hand_in(store: Store, split: str, folder: Path, seed: int) -> None:
    """Random predictions of `split` by the predictor vendor."""
    rng = np.random.default_rng(seed)
    pairs = table(
        store, f"SELECT CAST(pair_id AS VARCHAR) FROM split_members WHERE split = '{split}' ORDER BY 1"
    )
    file = folder / f"{split}-{seed}.csv"
    lines = [f"{pair},{','.join(map(repr, rng.dirichlet(np.ones(4)).tolist()))}" for (pair,) in pairs]
    file.write_text("\n".join(["pair_id,p1,p2,p3,p4", *lines]), encoding="utf-8")
    run(main, "predict", "--split", split, "--from", file, "--name", "vendor", "--db", store.path)


def accuracy(store: Store, predictor: str) -> float:
    told = in_json(store, "metrics", "--predictor", predictor, "--split", "eval_v1", *QUICK)
    return next(float(m["value"]) for m in told["metrics"] if m["metric"] == "accuracy")


def calibrate(store: Store, predictor: str, *more: str) -> dict[str, Any]:
    return in_json(store, "calibrate", "--predictor", predictor, *(more or SPLITS), *QUICK)


def test_a_calibrated_predictor_follows_what_it_calibrates(store: Store, tmp_path: Path) -> None:
    hand_in(store, "calibration_v1", tmp_path, 0)
    found = []
    for seed in (1, 2, 1):
        hand_in(store, "eval_v1", tmp_path, seed)
        calibrate(store, "vendor")
        # A temperature leaves the most probable tier as it is.
        assert accuracy(store, "vendor.temperature") == accuracy(store, "vendor")
        found.append(accuracy(store, "vendor"))
    assert found[0] == found[2] != found[1]


def test_a_newer_calibration_stands_for_an_older_one_of_the_name(store: Store, tmp_path: Path) -> None:
    hand_in(store, "eval_v1", tmp_path, 1)
    for seed in (3, 4):
        hand_in(store, "calibration_v1", tmp_path, seed)
        newest = calibrate(store, "vendor")["predictor_id"]
    assert table(store, "SELECT count(*) FROM predictors WHERE name = 'vendor.temperature'") == [(2,)]
    told = in_json(store, "metrics", "--predictor", "vendor.temperature", "--split", "eval_v1", *QUICK)
    assert told["predictor_id"] == newest


def test_a_calibration_on_the_judging_split_flatters_whatever_comes_after(store: Store) -> None:
    calibrate(store, "sure", "--fit", "eval_v1", "--judge", "eval_v1", "--same-split")
    with duckdb.connect(str(store.path)) as connection:
        # The calibration reaches the other split by hand: no command fits on a split that judges.
        connection.execute(
            "INSERT INTO predictions BY NAME SELECT md5(CAST(prediction_id AS VARCHAR))::UUID AS prediction_id, "
            "(SELECT predictor_id FROM predictors WHERE name = 'sure.temperature') AS predictor_id, "
            "* EXCLUDE (prediction_id, predictor_id) FROM predictions SEMI JOIN "
            "(SELECT pair_id FROM split_members WHERE split = 'calibration_v1') USING (pair_id) "
            "WHERE predictor_id = (SELECT predictor_id FROM predictors WHERE name = 'sure')"
        )
    named = ("--predictor", "sure.temperature")
    measured = in_json(store, "metrics", *named, "--split", "eval_v1", *QUICK)
    fitted = json.loads(run(main, "partition", "fit", *named, *SPLITS, *QUICK, "--json", "--db", store.path))
    for told in (measured, fitted):
        assert "judged on eval_v1, on which it was fitted: these numbers flatter it" in told["warnings"]


def test_a_promise_on_the_split_of_the_calibration_is_warned_of(store: Store) -> None:
    calibrate(store, "sure")
    promise = ("--promise", "share:2<=0.9", "--json")
    told = json.loads(
        run(
            main,
            "partition",
            "fit",
            "--predictor",
            "sure.temperature",
            *SPLITS,
            *QUICK,
            *promise,
            "--db",
            store.path,
        )
    )
    assert any("was calibrated on calibration_v1" in warning for warning in told["warnings"])


@pytest.mark.parametrize("verb", [("calibrate",), ("partition", "fit")])
def test_nothing_is_fitted_on_a_split_that_judges(store: Store, verb: tuple[str, ...]) -> None:
    turned = ("--fit", "eval_v1", "--judge", "calibration_v1", "--db", store.path)
    for flag in ((), ("--same-split",)):
        told = run(main, *verb, "--predictor", "sure", *turned, *flag, code=1)
        assert "is there to judge, not to fit on" in told


def test_a_split_that_was_altered_is_told(store: Store) -> None:
    with duckdb.connect(str(store.path)) as connection:
        connection.execute("UPDATE split_members SET tier = 1 WHERE tier = 2 AND split = 'eval_v1'")
    told = in_json(store, "metrics", "--predictor", "sure", "--split", "eval_v1", *QUICK)
    assert any("is not what was frozen any more" in warning for warning in told["warnings"])
    assert not any("has changed since" in warning for warning in told["warnings"])


def test_a_gold_tier_that_changed_since_is_told(store: Store) -> None:
    with duckdb.connect(str(store.path)) as connection:
        connection.execute(
            "UPDATE pairs SET tier = 1 WHERE tier = 2 AND pair_id IN "
            "(SELECT pair_id FROM split_members WHERE split = 'eval_v1' ORDER BY pair_id LIMIT 60)"
        )
    ((changed,),) = table(
        store,
        "SELECT count(*) FROM split_members m JOIN pairs p USING (pair_id) "
        "WHERE m.split = 'eval_v1' AND m.tier <> p.tier",
    )
    told = in_json(store, "metrics", "--predictor", "sure", "--split", "eval_v1", *QUICK)
    assert changed > 1
    assert (
        f"the gold tier of {changed} pairs has changed since eval_v1 was frozen; the frozen one counts"
        in told["warnings"]
    )


def test_a_partition_fitted_to_other_predictions_is_another(store: Store, tmp_path: Path) -> None:
    found = []
    for seed in (5, 6):
        for split in ("calibration_v1", "eval_v1"):
            hand_in(store, split, tmp_path, seed)
        told = json.loads(
            run(
                main,
                "partition",
                "fit",
                "--predictor",
                "vendor",
                *SPLITS,
                *QUICK,
                "--json",
                "--db",
                store.path,
            )
        )
        found.append(told["partition_id"])
    assert found[0] != found[1]
    page = run(
        main,
        "report",
        "--predictor",
        "vendor",
        "--split",
        "eval_v1",
        "--partition",
        found[0],
        *QUICK,
        "--db",
        store.path,
    )
    assert "predicted anew since the partition was fitted" in page


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "printable"),
        ("a\nb", "printable"),
        ("2d920b5b", "no id"),
        ("other", "name of a baseline already"),
    ],
)
def test_names_that_no_command_could_take_are_refused(
    store: Store, tmp_path: Path, name: str, words: str
) -> None:
    with duckdb.connect(str(store.path)) as connection:
        connection.execute(
            "INSERT INTO predictors BY NAME SELECT gen_random_uuid() AS predictor_id, 'other' AS name, "
            "'baseline' AS kind, '{}' AS parameters, (SELECT min(run_id) FROM runs) AS run_id"
        )
    file = tmp_path / "vendor.csv"
    file.write_text("pair_id,p1,p2,p3,p4\n", encoding="utf-8")
    told = run(
        main, "predict", "--split", "eval_v1", "--from", file, "--name", name, "--db", store.path, code=1
    )
    assert words in told
    assert len(told.strip().splitlines()) == 1


@pytest.mark.parametrize("given", ["", "-", "------", "ab"])
def test_an_id_that_is_none_means_nothing(store: Store, given: str) -> None:
    run(main, "partition", "fit", "--predictor", "sure", *SPLITS, *QUICK, "--db", store.path)
    told = run(main, "partition", "export", "--format", "sql", "--db", store.path, "--", given, code=1)
    assert "six of its hex digits" in told
    assert "no predictor" in run(
        main, "metrics", f"--predictor={given}", "--split", "eval_v1", "--db", store.path, code=1
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("metrics", "--predictor", "sure", "--split", "eval_v1", "--seed", "-1"),
        ("partition", "fit", "--predictor", "sure", *SPLITS, "--cost", ""),
        ("partition", "export", "abcdef", "--format", "sql", "--out", "/nowhere/cut.sql"),
    ],
)
def test_wrong_options_end_in_a_line(store: Store, arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, [*arguments, "--db", str(store.path)])
    assert done.exit_code in {1, 2}
    assert isinstance(done.exception, SystemExit)


def test_what_is_missing_is_told_with_the_command_that_helps(store: Store, tmp_path: Path) -> None:
    ((pair,),) = table(
        store, "SELECT min(CAST(pair_id AS VARCHAR)) FROM split_members WHERE split = 'eval_v1'"
    )
    file = tmp_path / "part.csv"
    file.write_text(f"pair_id,p1,p2,p3,p4\n{pair},0.1,0.2,0.3,0.4\n", encoding="utf-8")
    said = run(main, "predict", "--split", "eval_v1", "--from", file, "--db", store.path)
    assert "next:" not in said
    told = run(main, "metrics", "--predictor", "part", "--split", "eval_v1", "--db", store.path, code=1)
    assert "--from FILE --name part" in told


def test_slices_where_all_pairs_are_alike_are_named(store: Store) -> None:
    said = run(main, "metrics", "--predictor", "sure", "--split", "eval_v1", *QUICK, "--db", store.path)
    assert "no slices where all pairs are alike: " in said


def test_what_was_measured_is_told_where_another_process_keeps_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import eval.evaluation as evaluation

    monkeypatch.setenv("TIERWISE_LOCK_SECONDS", "0.2")
    holders = []

    def hold(*_: object, **__: object) -> list[str]:
        code = (
            f"import duckdb, sys; c = duckdb.connect({str(store.path)!r}); print('held', flush=True); "
            "sys.stdin.read()"
        )
        holder = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True)
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        holders.append(holder)
        return []

    # Another process takes the store while the measuring goes on.
    monkeypatch.setattr(evaluation, "cautions", hold)
    try:
        said = run(main, "metrics", "--predictor", "sure", "--split", "eval_v1", *QUICK, "--db", store.path)
    finally:
        for holder in holders:
            with holder:
                holder.kill()
    assert "measured, but not kept" in said
    assert f"process {holders[0].pid}" in said
    assert "macro_f1" in said
