"""``eval predict`` by a model: one token or a reason, killed, repeated, refused. The real command on a tiny model."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from curation.__main__ import main as curation
from eval.__main__ import main
from tests.tiny_model import save_tiny_model
from warehouse.store import Store

if TYPE_CHECKING:
    import click

PAIRS = 24
SPLIT = "eval_v1"


def run(group: click.Group, *arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(group, [*map(str, arguments)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout if code == 0 else done.stderr


def table(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with Store(store).read() as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        # Models this small only lose by a second thread.
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the split `SPLIT`."""
    folder = tmp_path_factory.mktemp("frozen")
    with (folder / "judged.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("query", "title", "label"))
        for number in range(PAIRS):
            title = f"item {'of another kind ' * (number % 5)}{number}"
            writer.writerow((f"query {number // 3}", title, number % 4 + 1))
    store = folder / "tierwise.duckdb"
    maps = [f"{name}={name}" for name in ("query", "title", "label")]
    run(curation, "ingest", "table", folder / "judged.csv", "--map", *maps, "--db", store)
    run(curation, "split", "create", "eval", "--role", "eval", "--db", store)
    return store


@pytest.fixture
def store(frozen: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(frozen, tmp_path / "tierwise.duckdb"))


def predict(store: Path, model: Path, *more: str) -> dict[str, Any]:
    base = ("predict", "--split", SPLIT, "--model", model, "--db", store, "--json")
    found: dict[str, Any] = json.loads(run(main, *base, *more))
    return found


def test_one_token_is_what_a_sample_opens_with(store: Path, tiny_model: Path) -> None:
    found = predict(store, tiny_model)
    assert (found["predictor"], found["predicted"], found["failures"]) == ("tiny.answer-first", PAIRS, 0)
    sampled = ("--n", "1", "--max-tokens", "8", "--dtype", "float32")
    run(curation, "sample", "--model", tiny_model, *sampled, "--db", store)
    both = table(
        store,
        "SELECT p.digit_logprobs, s.digit_logprobs, p.tier_probs, s.tier_probs, p.prompt_tokens, s.prompt_tokens "
        "FROM predictions p JOIN samples s ON s.pair_id = p.pair_id AND s.prompt_hash = p.basis_id",
    )
    assert len(both) == PAIRS
    for ours, theirs, probs, sample_probs, tokens, sample_tokens in both:
        # The tiny model is in bfloat16 where the processor multiplies it.
        assert ours == pytest.approx(theirs, abs=0.05)
        assert probs == pytest.approx(sample_probs, abs=0.02)
        assert tokens == sample_tokens
    assert table(store, "SELECT DISTINCT completion_tokens, seconds > 0 FROM predictions") == [(1, True)]


def test_probabilities_are_the_softmax_of_the_stored_log_probabilities(store: Path, tiny_model: Path) -> None:
    predict(store, tiny_model)
    for logprobs, probs in table(store, "SELECT digit_logprobs, tier_probs FROM predictions"):
        total = sum(map(math.exp, logprobs))
        assert probs == pytest.approx([math.exp(value) / total for value in logprobs])
        assert total <= 1 + 1e-6


def test_again_it_adds_nothing_and_loads_nothing(store: Path, tiny_model: Path, tmp_path: Path) -> None:
    predict(store, tiny_model)
    before = table(store, "SELECT * FROM predictions ORDER BY prediction_id")
    again = predict(store, tiny_model)
    assert (again["already_there"], again["predicted"], again["prompt_tokens"]) == (PAIRS, 0, 0)
    assert table(store, "SELECT * FROM predictions ORDER BY prediction_id") == before


def test_batches_change_nothing_but_rounding(
    store: Path, frozen: Path, tiny_model: Path, tmp_path: Path
) -> None:
    one_by_one = Path(shutil.copy(frozen, tmp_path / "one.duckdb"))
    predict(store, tiny_model, "--dtype", "float32")
    predict(one_by_one, tiny_model, "--dtype", "float32", "--batch-size", "1")
    sql = "SELECT prediction_id, tier_probs FROM predictions ORDER BY 1"
    together, alone = table(store, sql), table(one_by_one, sql)
    assert [row[0] for row in together] == [row[0] for row in alone]
    for (_, ours), (_, theirs) in zip(together, alone, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("moment", ["part", "merge"])
def test_a_killed_run_goes_on_and_reads_no_prompt_twice(store: Path, tiny_model: Path, moment: str) -> None:
    arguments = ("predict", "--split", SPLIT, "--model", tiny_model, "--batch-size", "5", "--db", store)
    killed = subprocess.run(
        [sys.executable, "-m", "eval", *map(str, arguments)],
        env={**os.environ, "TIERWISE_DIE_AT": moment},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    found = predict(store, tiny_model)
    assert found["already_there"] == (5 if moment == "part" else PAIRS)
    assert found["already_there"] + found["predicted"] == PAIRS
    assert table(store, "SELECT count(*), count(DISTINCT pair_id) FROM predictions") == [(PAIRS, PAIRS)]
    assert run(main, "metrics", "--predictor", found["predictor"], "--split", SPLIT, "--db", store)


def test_a_dry_run_counts_and_writes_nothing(store: Path, tiny_model: Path) -> None:
    before = store.read_bytes()
    assert predict(store, tiny_model, "--dry-run")["to_predict"] == PAIRS
    assert predict(store, tiny_model, "--prompt", "reason-first", "--dry-run")["to_draw"] == PAIRS
    assert store.read_bytes() == before


def test_a_prompt_too_long_is_kept_with_its_reason_and_not_tried_again(store: Path, tmp_path: Path) -> None:
    short = save_tiny_model(tmp_path / "short", context=300)
    assert predict(store, short)["failures"] == PAIRS
    assert predict(store, short)["already_there"] == PAIRS
    ((count, reason),) = table(
        store, "SELECT count(*), min(reason) FROM predictions WHERE tier_probs IS NULL GROUP BY ALL"
    )
    assert count == PAIRS
    assert "the model takes 299" in reason
    said = run(main, "metrics", "--predictor", "short.answer-first", "--split", SPLIT, "--db", store, code=1)
    assert "no tier for any pair" in said


def test_reason_first_reads_the_tier_where_it_is_emitted(store: Path, tiny_model: Path) -> None:
    found = predict(store, tiny_model, "--prompt", "reason-first", "--max-tokens", "40")
    assert found["predicted"] + found["failures"] == PAIRS
    assert found["drawn"] == PAIRS
    rows = table(
        store,
        "SELECT p.tier_probs, s.tier_probs, p.reason, s.tier, p.completion_tokens, p.seconds > 0 FROM predictions p "
        "JOIN samples s USING (sample_id)",
    )
    assert len(rows) == PAIRS
    for probs, sample_probs, reason, _, tokens, took in rows:
        assert probs == sample_probs
        assert (probs is None) == (reason is not None)
        assert tokens
        assert took
    again = predict(store, tiny_model, "--prompt", "reason-first", "--max-tokens", "40")
    assert (again["already_there"], again["drawn"]) == (PAIRS, 0)
    # What commands call the newest configuration is still that of a sampling run.
    assert table(store, "FROM newest_configuration") == []


def test_reason_first_reads_what_an_answer_says(store: Path, tiny_model: Path) -> None:
    predict(store, tiny_model, "--prompt", "reason-first", "--max-tokens", "4")
    with Store(store).read() as connection:
        sample_id = connection.execute("SELECT min(sample_id) FROM samples").fetchall()[0][0]
    import duckdb

    with duckdb.connect(str(store)) as connection:
        connection.execute("DELETE FROM predictions")
        connection.execute(
            "UPDATE samples SET text = 'It fits.\nTier: 3', tier = 3, tier_probs = [0.1, 0.2, 0.6, 0.1], "
            "digit_logprobs = [-4, -3, -1, -4] WHERE sample_id = ?",
            [sample_id],
        )
        connection.execute("UPDATE samples SET finish_reason = 'length' WHERE sample_id <> ?", [sample_id])
    found = predict(store, tiny_model, "--prompt", "reason-first", "--max-tokens", "4")
    assert (found["drawn"], found["predicted"], found["failures"]) == (0, 1, PAIRS - 1)
    assert table(store, "SELECT tier_probs, sample_id FROM predictions WHERE tier_probs IS NOT NULL") == [
        ([0.1, 0.2, 0.6, 0.1], sample_id)
    ]
    assert table(store, "SELECT DISTINCT reason FROM predictions WHERE tier_probs IS NULL") == [
        ("no tier before the answer was cut off at its token limit",)
    ]


def test_the_item_text_that_the_split_froze_is_what_is_read(store: Path, tiny_model: Path) -> None:
    frozen_texts = table(
        store,
        "SELECT m.pair_id, v.title FROM split_members m JOIN item_versions v USING (item_version_id) ORDER BY 1",
    )
    import duckdb

    with duckdb.connect(str(store)) as connection:
        # The pair's current version becomes another item's.
        connection.execute(
            "UPDATE pairs SET item_version_id = (SELECT max(item_version_id) FROM item_versions)"
        )
    for prompt in ("answer-first", "reason-first"):
        predict(store, tiny_model, "--prompt", prompt, *(["--max-tokens", "4"] if prompt[0] == "r" else []))
        read = table(
            store,
            "SELECT r.pair_id, r.messages FROM rendered_prompts r JOIN prompts t USING (prompt_id) "
            f"WHERE t.name = '{prompt}' ORDER BY 1",
        )
        assert [row[0] for row in read] == [row[0] for row in frozen_texts]
        assert all(f"title: {title}\\n" in read[i][1] for i, (_, title) in enumerate(frozen_texts))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--split", "eval_v9"), "eval_v9"),
        (("--split", SPLIT, "--baseline", "majority", "--from", "x.csv"), "one source"),
        (("--split", SPLIT, "--baseline", "majority", "--model", "m"), "--model goes with a model"),
        (("--split", SPLIT, "--max-tokens", "9"), "one token"),
        (("--split", SPLIT, "--prompt", "nonsense"), "there are answer-first"),
        (("--split", SPLIT, "--model", "./missing"), "does not exist"),
        (("--split", SPLIT, "--baseline", "majority", "--name", "m"), "leave out --name"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    store: Path, tiny_model: Path, arguments: tuple[str, ...], words: str
) -> None:
    model = () if "--model" in arguments or "--baseline" in arguments else ("--model", tiny_model)
    done = CliRunner().invoke(main, ["predict", *map(str, (*arguments, *model)), "--db", str(store)])
    assert done.exit_code != 0
    assert words in done.stderr.splitlines()[-1]


def test_two_processes_do_not_predict_by_one_predictor_at_once(store: Path, tiny_model: Path) -> None:
    import fcntl

    predictor = predict(store, tiny_model)["predictor_id"]
    with (Path(f"{store}.runs") / f".predict-{predictor}.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        base = ("predict", "--split", SPLIT, "--model", tiny_model, "--db", store)
        assert "already predicting by this predictor" in run(main, *base, code=1)
