"""``eval predict --from``: probabilities of any other system, by file."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from curation.__main__ import main as curation
from curation.scorers import SUM_TOLERANCE, read_tier_probs
from eval.__main__ import main
from tests.warehouse.support import KILLED, ROOT, contents, one_line_error
from warehouse.ids import content_id
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

QUERIES = 20
ITEMS = 4
PAIRS = QUERIES // 2 * ITEMS
PROBS = ("0.1", "0.2", "0.3", "0.4")
HEADER = ("pair_id", "p1", "p2", "p3", "p4")
Row = tuple[object, ...]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two splits of ten queries each, and a query in neither. Copy before changing it."""
    folder = tmp_path_factory.mktemp("predicted")
    judged = folder / "judged.csv"
    with judged.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("query", "title", "label"))
        for number in range(QUERIES + 1):
            use = "spare" if number == QUERIES else "fit" if number % 2 else "held"
            for item in range(ITEMS):
                shown = content_id("title", number, item).hex
                writer.writerow((f"{use} q{number}", f"item {shown}", (number + item) % 4 + 1))
    path = folder / "tierwise.duckdb"
    maps = [f"{name}={name}" for name in ("query", "title", "label")]
    commands = [["ingest", "table", judged, "--map", *maps]]
    for name, words in (("calibration", "fit"), ("eval", "held")):
        commands.append(["split", "create", name, "--role", name, "--where", f"query LIKE '{words} %'"])
    for command in commands:
        done = CliRunner().invoke(curation, [*map(str, command), "--db", str(path)])
        assert done.exit_code == 0, done.output
    return path


@pytest.fixture
def store(shelf: Path, tmp_path: Path) -> Store:
    """A copy of `shelf` to change."""
    copy = tmp_path / "tierwise.duckdb"
    copy.write_bytes(shelf.read_bytes())
    return Store(copy)


def table(store: Store, sql: str) -> list[Any]:
    with store.read() as connection:
        return connection.execute(sql).fetchall()


def pairs(store: Store, split: str = "eval_v1") -> list[str]:
    members = f"SELECT CAST(pair_id AS VARCHAR) FROM split_members WHERE split = '{split}' ORDER BY pair_id"
    return [row[0] for row in table(store, members)]


def write(path: Path, rows: Sequence[Row], header: Sequence[str] = HEADER, delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def whole(store: Store, path: Path, probs: Sequence[object] = PROBS) -> Path:
    """A file that says `probs` of every pair of eval_v1."""
    return write(path, [(pair, *probs) for pair in pairs(store)])


def process(store: Store, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    """``python -m eval …`` as a user types it."""
    return subprocess.run(
        [sys.executable, "-m", "eval", *map(str, arguments), "--db", str(store.path)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def asked(path: Path, split: str = "eval_v1", name: str = "bert") -> tuple[object, ...]:
    return ("predict", "--split", split, "--from", path, "--name", name)


def predict(store: Store, path: Path, split: str = "eval_v1") -> dict[str, Any]:
    done = CliRunner().invoke(main, [*map(str, asked(path, split)), "--db", str(store.path), "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def refused(store: Store, path: Path, split: str = "eval_v1") -> str:
    """The one line in which a file is refused, which leaves the store as it was."""
    written = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM rejects), (SELECT count(*) FROM predictions)"
    before = table(store, written)
    done = CliRunner().invoke(main, [*map(str, asked(path, split)), "--db", str(store.path)])
    assert done.exit_code == 1, (done.output, done.exception)
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert table(store, written) == before
    return done.stderr


def current(store: Store) -> dict[str, list[float]]:
    said = "SELECT CAST(pair_id AS VARCHAR), tier_probs FROM current_predictions WHERE predictor = 'bert'"
    return dict(table(store, said))


def test_a_file_as_a_user_brings_it(store: Store, tmp_path: Path) -> None:
    done = process(store, *asked(whole(store, tmp_path / "bert.csv")))
    assert (done.returncode, done.stderr) == (0, "")
    lines = dict(line.split("  ", 1) for line in done.stdout.splitlines() if "  " in line)
    told = {name.strip(): value.strip() for name, value in lines.items()}
    del told["predictor id"]
    assert told == {
        "predictor": "bert",
        "split": "eval_v1",
        "pairs": str(PAIRS),
        "predicted": str(PAIRS),
        "new": str(PAIRS),
        "missing": "0",
        "outside the split": "0",
        "rejects": "–",
    }
    assert current(store) == {pair: pytest.approx([float(p) for p in PROBS]) for pair in pairs(store)}
    frozen = "SELECT pair_id, judgment_id, item_version_id FROM {} ORDER BY pair_id"
    assert table(store, frozen.format("predictions")) == table(
        store, frozen.format("(FROM split_members WHERE split = 'eval_v1')")
    )
    measured = process(store, "metrics", "--predictor", "bert", "--split", "eval_v1", "--resamples", 100)
    assert (measured.returncode, measured.stderr) == (0, "")
    assert "accuracy" in measured.stdout


def test_rows_that_are_no_use_are_rejects_with_line_and_reason(store: Store, tmp_path: Path) -> None:
    given_pairs, other = pairs(store), pairs(store, "calibration_v1")
    rows: list[Row] = [(pair, *PROBS) for pair in given_pairs]
    unused: dict[int, tuple[Row, str]] = {
        3: ((given_pairs[1], "", *PROBS[1:]), "no p1"),
        5: ((given_pairs[3], "-0.1", "0.4", "0.3", "0.4"), "bad probability"),
        7: ((given_pairs[5], "nan", *PROBS[1:]), "bad probability"),
        9: ((given_pairs[7], "0.4", "0.4", "0.4", "0.4"), "probabilities do not sum to 1"),
        11: ((given_pairs[9], "inf", "0", "0", "0"), "bad probability"),
        13: ((given_pairs[11], "much", "0", "0", "0"), "bad probability"),
        15: ((given_pairs[13], "1", "0"), "wrong number of cells"),
        17: ((given_pairs[0], *PROBS), "repeated pair"),
        19: ((content_id("pair", "of another store"), *PROBS), "unknown pair"),
        21: (("seven", *PROBS), "bad pair id"),
    }
    for line, (row, _) in unused.items():
        rows[line - 2] = row
    rows += [(pair, *PROBS) for pair in other[:3]]
    told = predict(store, write(tmp_path / "bert.csv", rows))
    reasons = [reason for _, reason in unused.values()]
    assert told["rejects"] == {reason: reasons.count(reason) for reason in reasons}
    assert (told["predicted"], told["missing"], told["outside_the_split"]) == (30, 10, 3)
    assert current(store).keys() == set(given_pairs[:20:2]) | set(given_pairs[20:])
    kept = "SELECT line, reason, source, file, detail, raw FROM rejects ORDER BY line"
    rejects = table(store, kept)
    assert [row[:2] for row in rejects] == [(line, reason) for line, (_, reason) in unused.items()]
    assert {row[2:4] for row in rejects} == {("predictions", str(tmp_path / "bert.csv"))}
    assert rejects[3][4] == "they sum to 1.6"
    assert all("nan" in text for text in rejects[2][4:])
    predict(store, tmp_path / "bert.csv")
    assert table(store, kept) == rejects


@given(st.lists(st.integers(0, 100), min_size=4, max_size=4).filter(any))
@example([25, 25, 26, 26])
@example([24, 24, 25, 25])
@example([25, 26, 26, 26])
def test_two_decimals_are_probabilities_within_the_tolerance(
    tmp_path_factory: pytest.TempPathFactory, hundredths: list[int]
) -> None:
    pair = content_id("pair", 1)
    path = write(
        tmp_path_factory.getbasetemp() / "two-decimals.csv",
        [(pair, *(f"0.{h:02}" if h < 100 else "1" for h in hundredths))],
    )
    reader = read_tier_probs(path, {pair: 0}, set())
    if abs(sum(hundredths) - 100) <= 100 * SUM_TOLERANCE:
        assert reader.rows[0] == pytest.approx([h / sum(hundredths) for h in hundredths])
        assert not reader.rejects
    else:
        assert [reject.reason for reject in reader.rejects] == ["probabilities do not sum to 1"]
        assert not reader.rows


def test_every_format_says_the_same(store: Store, tmp_path: Path) -> None:
    generous = ("0.17", "0.3", "0.27", "0.253")
    first = predict(store, whole(store, tmp_path / "bert.csv", generous))
    assert first["new"] == PAIRS
    before = table(store, "FROM predictions ORDER BY prediction_id")
    records = [dict(zip(HEADER, (pair, *map(float, generous)), strict=True)) for pair in pairs(store)]
    lines = tmp_path / "bert.jsonl"
    lines.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    parquet = tmp_path / "bert.parquet"
    duckdb.sql(
        "COPY (SELECT p4, p3, p2, p1, pair_id::UUID AS pair_id, 'bert' AS model "
        f"FROM read_json('{lines}')) TO '{parquet}'"
    )
    for path in (
        write(tmp_path / "bert.tsv", [(pair, *generous) for pair in pairs(store)], delimiter="\t"),
        write(tmp_path / "plain.csv", [(pair.replace("-", "").upper(), *generous) for pair in pairs(store)]),
        lines,
        parquet,
    ):
        told = predict(store, path)
        assert (told["predicted"], told["new"], told["rejects"]) == (PAIRS, 0, {}), path
    assert table(store, "FROM predictions ORDER BY prediction_id") == before


def test_nulls_and_nan_of_parquet_are_rejects(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "bert.parquet"
    probs = "0.1 AS p1, CASE row WHEN 3 THEN 'nan'::DOUBLE WHEN 7 THEN NULL ELSE 0.2 END AS p2, 0.3 AS p3, 0.4 AS p4"
    with store.read() as connection:
        connection.execute(
            f"COPY (SELECT pair_id, {probs} FROM (SELECT pair_id, row_number() OVER (ORDER BY pair_id) AS row "
            f"FROM split_members WHERE split = 'eval_v1') ORDER BY row) TO '{path}'"
        )
    told = predict(store, path)
    assert (told["predicted"], told["rejects"]) == (PAIRS - 2, {"no p2": 2})
    assert table(store, "SELECT line, reason FROM rejects ORDER BY line") == [
        (3, "no p2"),
        (7, "no p2"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("bert.csv", None, "is not there"),
        ("bert.csv", "", "is empty"),
        ("bert.csv", "pair_id,p1,p2,p3,p4\n", "no rows"),
        ("bert.csv", "pair_id,p1,p2,p4\nx,1,0,0\n", "no column p3"),
        ("bert.tsv", "pair_id,p1,p2,p3,p4\nx,1,0,0,0\n", "no column pair_id"),
        ("bert.jsonl", "[1]\n", "one JSON object a line"),
        ("bert.parquet", "no parquet", "not a complete Parquet file"),
        (
            "bert.csv",
            "pair_id,p1,p2,p3,p4\nx,1,0,0,0\n",
            "1 rejects, the first: line 2: bad pair id, pair_id is 'x'",
        ),
    ],
)
def test_files_that_are_no_predictions(
    name: str, text: str | None, told: str, store: Store, tmp_path: Path
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    line = refused(store, path)
    assert told in line
    assert str(path) in line


def test_a_folder_is_no_file(store: Store, tmp_path: Path) -> None:
    assert "is a folder; name the file in it" in refused(store, tmp_path)


def test_splits_that_cannot_be_predicted(store: Store, tmp_path: Path) -> None:
    path = whole(store, tmp_path / "bert.csv")
    assert "no split eval_v2; there are calibration_v1, eval_v1" in refused(store, path, "eval_v2")
    told = refused(store, path, "calibration_v1")
    assert f"its {PAIRS} pairs stand outside the split; name the split they are of" in told
    with duckdb.connect(str(store.path)) as connection:
        connection.execute("UPDATE split_members SET tier = 5 - tier WHERE split = 'eval_v1' AND tier = 1")
    told = refused(store, path)
    assert "eval_v1 was altered: member " in told
    assert "create a new version of it" in told


@pytest.mark.parametrize(
    "options",
    [
        ("--from", "a.csv", "--baseline", "tfidf"),
        ("--name", "x", "--baseline", "tfidf"),
        ("--from", "a.csv", "--model", "m"),
    ],
)
def test_options_that_do_not_go_together(options: tuple[str, ...], store: Store) -> None:
    done = CliRunner().invoke(main, ["predict", "--split", "eval_v1", *options, "--db", str(store.path)])
    assert done.exit_code == 2


def test_without_a_name_it_is_the_files(store: Store, tmp_path: Path) -> None:
    path = whole(store, tmp_path / os.fsdecode(b"bert-\xff.base.csv"))
    arguments = ["predict", "--split", "eval_v1", "--from", str(path), "--db", str(store.path)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert table(store, "SELECT name, kind FROM predictors") == [("bert-?.base", "file")]


def accuracy(store: Store) -> float:
    arguments = ["metrics", "--predictor", "bert", "--split", "eval_v1", "--resamples", "100", "--json"]
    done = CliRunner().invoke(main, [*arguments, "--db", str(store.path)])
    assert done.exit_code == 0, (done.output, done.exception)
    found: float = next(
        of["value"] for of in json.loads(done.stdout)["metrics"] if of["metric"] == "accuracy"
    )
    return found


def test_the_newest_file_of_a_name_is_what_counts(store: Store, tmp_path: Path) -> None:
    """Every tier is a quarter of gold; a file that says the tiers of the frozen split is always right."""
    poor = whole(store, tmp_path / "poor.csv")
    gold = table(store, "SELECT pair_id, tier FROM split_members WHERE split = 'eval_v1' ORDER BY pair_id")
    right = write(
        tmp_path / "right.csv", [(pair, *(int(t == tier) for t in (1, 2, 3, 4))) for pair, tier in gold]
    )
    assert predict(store, poor)["new"] == PAIRS
    assert accuracy(store) == 0.25
    assert predict(store, right)["new"] == PAIRS
    assert accuracy(store) == 1
    assert table(store, "SELECT count(*) FROM predictors") == [(1,)]
    assert predict(store, right)["new"] == 0
    assert predict(store, poor)["new"] == PAIRS
    assert accuracy(store) == 0.25
    assert set(map(tuple, current(store).values())) == {tuple(float(p) for p in PROBS)}
    assert table(store, "SELECT count(*) FROM predictions") == [(2 * PAIRS,)]
    assert predict(store, poor)["new"] == 0


def test_what_a_file_left_out_is_missed_by_metrics(store: Store, tmp_path: Path) -> None:
    some = pairs(store)[:-7]
    told = predict(store, write(tmp_path / "bert.csv", [(pair, *PROBS) for pair in some]))
    assert (told["predicted"], told["missing"]) == (PAIRS - 7, 7)
    line = one_line_error(process(store, "metrics", "--predictor", "bert", "--split", "eval_v1"))
    assert line.startswith(f"bert has not predicted 7 of the {PAIRS} pairs of eval_v1: give it a file ")
    rest = write(tmp_path / "rest.csv", [(pair, *PROBS) for pair in pairs(store)[-7:]])
    assert predict(store, rest)["new"] == 7
    assert accuracy(store) == 0.25


def test_a_kill_in_the_middle_leaves_the_store_whole(store: Store, tmp_path: Path) -> None:
    path = whole(store, tmp_path / "bert.csv")
    before = contents(store)
    killed = process(store, *asked(path), TIERWISE_DIE_AT="predict")
    assert killed.returncode == KILLED
    assert contents(store) == before
    assert predict(store, path)["new"] == PAIRS
    assert len(current(store)) == PAIRS
