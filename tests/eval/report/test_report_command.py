"""``eval report`` on a store."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from eval.calibration import calibrate
from eval.decisions import cumpt
from eval.evidence import read_evidence
from eval.metrics.measure import measure
from eval.predict.from_file import predict_from_file
from tests.eval.report.conftest import ONE_THETA, Shelf, page_of, run
from tests.eval.report.pages import Page
from tests.eval.report.shop import (
    Sold,
    around_gold,
    by_model,
    freeze,
    partitioned,
    sold_at_random,
    stocked,
)
from tests.warehouse.support import ROOT, names, row
from warehouse.ids import content_id
from warehouse.ledger import Run
from warehouse.parts import insert_rows
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

SLOW = ("--predictor", "tiny.reason-first", "--split", "eval_v1")
FAST = ("--predictor", "tiny.answer-first", "--split", "eval_v1")
SECTIONS = (
    *("What to deploy", "What was evaluated", "Metrics", "Confusion of tiers", "By tier and kind"),
    *("Do the probabilities hold?", "Thresholds and tier shares", "Promises", "What else could decide"),
    *("Is it stable?", "Answer first or reason first", "Worst slices", "Errors to learn from", "Lineage"),
)


def without_time(report: str) -> str:
    """All of it but when it was made, and all other times."""
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "", report)


def test_the_page_is_well_formed_and_needs_nothing_else(source: str) -> None:
    page = Page(source)
    assert len(page.ids) == len(set(page.ids))
    for name, value in page.attributes:
        if name in {"aria-labelledby", "aria-describedby"}:
            assert set(value.split()) <= set(page.ids)
        if name == "href":
            assert value == "data:," or value.removeprefix("#") in page.ids, value
        assert name != "src"
        assert not name.startswith("on")
    assert page.tags["script"] == page.tags["img"] == page.tags["iframe"] == 0
    assert not re.search(r"url\((?!#hatch\))|@import|https?:", source)
    assert ("lang", "en") in page.attributes
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in page.attributes
    assert page.tags["title"] == 1 + page.tags["desc"]
    assert page.tags["figure"] == page.tags["details"] == page.tags["desc"]
    assert page.tags["article"] == 50
    assert [text for text in page.texts["h2"] if text.strip()] == [*SECTIONS]


def test_both_forms_say_the_same(source: str, printed: str) -> None:
    page = Page(without_time(source))
    assert re.findall(r"^## (.+)$", printed, re.MULTILINE) == [*SECTIONS]
    unescaped = without_time(re.sub(r"\\(.)", r"\1", printed))
    cells = [cell.strip() for kind in ("th", "td", "strong", "span") for cell in page.texts[kind]]
    for cell in cells:
        if re.fullmatch(r"[−+]?[0-9.,]+( to [−+]?[0-9.]+)?( %)?", cell):
            assert cell in unescaped, cell
    for paragraph in page.texts["p"]:
        words = " ".join(paragraph.split()).removesuffix(".")
        if len(words) > 40 and "·" not in words:
            assert words in unescaped


def test_numbers_are_those_of_metrics(shelf: Shelf) -> None:
    printed = run(shelf.store, *FAST, "--partition", shelf.three)
    with shelf.store.read() as connection:
        evidence = read_evidence(connection, "tiny.answer-first", "eval_v1")
    found = {of.metric: of for of in measure(evidence, resamples=100)}
    for metric, name in (("macro_f1", "Macro-F1 ↑"), ("accuracy", "Accuracy ↑"), ("log_loss", "Log loss ↓")):
        expected = f"{found[metric].value:.3f} | {found[metric].low:.3f} to {found[metric].high:.3f}"
        rows = [line for line in printed.splitlines() if line.startswith(f"| {name}")]
        assert any(expected in re.sub(" +", " ", line) for line in rows), (expected, rows)


def test_areas_that_take_long_have_no_interval(
    shelf: Shelf, printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eval.report.gather._AREA_SECONDS", 0)
    without = run(shelf.store, *SLOW)
    found = re.search(r"\| AUC, tier 3 or above ↑ +\| (0\.\d+) \| +– \|", without)
    assert found
    assert re.search(rf"\| AUC, tier 3 or above ↑ +\| {found[1]} \| 0\.\d+ to 0\.\d+ \|", printed)
    assert "no interval, as it takes long; eval metrics has it" in without


def test_the_newest_partition_is_taken_and_told(shelf: Shelf, printed: str) -> None:
    newest = run(shelf.store, *SLOW)
    assert f"- partition: {shelf.flattering[:8]} (the newest of 2 that was judged on eval_v1" in newest
    assert f"- partition: {shelf.one[:8]} (as asked)" in printed


def test_a_partition_fitted_on_the_split_is_marked_everywhere(
    shelf: Shelf, source: str, tmp_path: Path
) -> None:
    asked = (*SLOW, "--partition", shelf.flattering)
    flattering = run(shelf.store, *asked)
    headings = re.findall(r"^## (.+)$", flattering, re.MULTILINE)
    assert headings == [f"{name} (these numbers flatter)" for name in SECTIONS]
    assert "**Beware: judged on eval_v1, on which it was fitted: these numbers flatter it" in flattering
    assert "**Do not decide by this report. Judged on eval_v1, on which it was fitted:" in flattering
    page = page_of(shelf.store, tmp_path, *asked)
    assert page.count('<span class="flattering">these numbers flatter</span>') == len(SECTIONS)
    assert "<title>tiny.reason-first on eval_v1 (these numbers flatter)</title>" in page
    assert 'class="banner"' in page
    assert 'class="banner"' not in source


def test_promises_and_alternatives_are_told(printed: str) -> None:
    assert "Could not be promised: precision:4>=0.99." in printed
    assert "No threshold can promise this; about 900 queries would be needed." in printed
    assert "- **Warning:** forty queries only" in printed
    assert re.search(r"\| one theta \(chosen\) +\| +0\.\d{3} \| +0\.\d{3} \(", printed)
    assert re.search(r"\| month +\| 2025-01 +\|", printed)


def test_costs_of_both_formats_are_told(printed: str) -> None:
    assert "A pair takes 40.0 times as long reason-first as answer-first." in printed
    assert re.search(
        r"\| tiny.answer-first \| answer-first \| +[\d.]+ \| +1.0 \| +0.0200 \| +0.\d+ \| +240 \|", printed
    )


def test_reasoning_is_shown_or_its_absence_told(shelf: Shelf, printed: str) -> None:
    assert re.search(r"Reasoning: The query names pan \d+. The item is a wok. Tier: [1-4]", printed)
    fast = run(shelf.store, *FAST)
    assert "Answer-first reads one token: no reasoning was generated." in fast
    assert "Reasoning: " not in fast


def test_doubted_gold_is_among_the_errors(printed: str) -> None:
    assert "Gold is doubted: bag-of-words suggests tier" in printed


def test_the_summary_tells_what_was_written(shelf: Shelf, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    told = json.loads(run(shelf.store, *SLOW, "--partition", shelf.one, "--out", out, "--json"))
    assert told["bytes"] == out.stat().st_size
    assert told["partition_id"] == shelf.one
    assert told["errors_shown"] == 50
    assert told["warnings"] == ["forty queries only"]
    assert names(tmp_path) == ["r.html"]


def test_the_same_store_gives_the_same_page_and_is_left_as_it_is(
    shelf: Shelf, source: str, tmp_path: Path
) -> None:
    before = shelf.store.path.read_bytes()
    again = page_of(shelf.store, tmp_path, *ONE_THETA, "--partition", shelf.one)
    assert without_time(again) == without_time(source)
    assert shelf.store.path.read_bytes() == before


def test_what_cannot_be_is_one_line(shelf: Shelf, tmp_path: Path) -> None:
    nowhere = tmp_path / "no" / "r.html"
    assert run(shelf.store, *SLOW, "--out", nowhere, code=1) == (
        f"Error: no folder {tmp_path / 'no'}; make it first\n"
    )
    assert "no split nope; there are" in run(
        shelf.store, "--predictor", "tiny.reason-first", "--split", "nope", code=1
    )
    assert "cuts the probabilities of tiny.reason-first" in run(
        shelf.store, *FAST, "--partition", shelf.one, code=1
    )
    assert "--json tells what --out wrote" in run(shelf.store, *SLOW, "--json", code=2)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two splits without tier 2 in the one to judge on, predicted by a model of one format."""
    sold = [pair for pair in sold_at_random(24, 4) if pair.query.startswith("fit") or pair.label != 2]
    store = stocked(tmp_path_factory.mktemp("small"), sold)
    splits = [
        freeze(store, "calibration", "query LIKE 'fit %'"),
        freeze(store, "eval", "query LIKE 'held %'"),
    ]
    by_model(store, "answer-first", splits, around_gold(3))
    return store


def test_without_a_partition_it_says_how_to_fit_one(small: Store, tmp_path: Path) -> None:
    printed = run(small, *FAST)
    assert (
        "    python -m eval partition fit --predictor tiny.answer-first --fit calibration_v1 --judge eval_v1\n"
        in printed
    )
    assert "    python -m eval predict --split eval_v1 --model tiny --prompt reason-first\n" in printed
    assert "## Promises" not in printed
    page = Page(page_of(small, tmp_path, *FAST))
    assert page.tags["figure"] == page.tags["desc"]


def test_an_absent_tier_is_told_and_is_no_zero(small: Store) -> None:
    printed = run(small, *FAST)
    assert re.search(r"\*\*Warning:\*\* no pair of eval_v1 has gold tier 2", printed)
    assert re.search(r"\| gold 2 +\| +0 · – \|", printed)
    assert "A dash: no pair has this gold tier." in printed


def test_undefined_metrics_are_a_dash_with_a_reason(tmp_path: Path) -> None:
    sold = [Sold(f"{half} pan {n}", f"pan {half} {n}", 4) for half in ("fit", "held") for n in range(6)]
    store = stocked(tmp_path, sold)
    splits = [
        freeze(store, "calibration", "query LIKE 'fit %'"),
        freeze(store, "eval", "query LIKE 'held %'"),
    ]
    predictor = by_model(store, "answer-first", splits, lambda gold: around_gold(0)(gold) * 0 + [0, 0, 0, 1])
    partitioned(store, predictor, *splits)
    printed = run(store, *FAST)
    assert re.search(r"\| F1 of tier 1 ↑ +\| +– \| +– \|", printed)
    assert "F1 of tier 1: no pair has tier 1, in gold or prediction" in printed
    assert "Quadratic kappa: gold and predicted tiers are all one tier" in printed
    assert "No pair is decided wrongly." in printed
    assert "nan" not in printed.lower()
    source = page_of(store, tmp_path, *FAST)
    Page(source)
    assert not re.search(r"\bnan\b", source, re.IGNORECASE)


@pytest.fixture
def store(shelf: Shelf, tmp_path: Path) -> Store:
    """A copy to change."""
    copy = tmp_path / "tierwise.duckdb"
    copy.write_bytes(shelf.store.path.read_bytes())
    return Store(copy)


def test_stored_json_of_any_shape_is_read(shelf: Shelf, store: Store) -> None:
    ledger = Run("partition", {})
    with store.write(ledger) as connection:
        connection.execute("DELETE FROM partitions WHERE partition_id <> ?", [shelf.one])
        for promises, details in (
            ("{}", "[]"),
            ("null", "null"),
            ('[{}, 3, {"promise": null}]', '{"alternatives": [{}, null], "shares": [{}, {"shares": "x"}]}'),
        ):
            connection.execute("UPDATE partitions SET promises = ?, details = ?", [promises, details])
    assert "## What else could decide" in run(store, *SLOW)


def test_a_cost_has_its_curve(shelf: Shelf, store: Store) -> None:
    with store.write(Run("partition", {})) as connection:
        connection.execute(
            "UPDATE partitions SET objective = 'cost', details = ? WHERE partition_id = ?",
            [
                json.dumps({"cost_matrix": [[0, 1, 2, 3], [1, 0, 1, 2], [2, 1, 0, 1], [3, 2, 1, 0]]}),
                shelf.one,
            ],
        )
    printed = run(store, *SLOW, "--partition", shelf.one)
    assert "Mean cost (negated) of one θ, over all θ:" in printed
    # The cost is that of the mean error, which is measured beside it.
    told = re.search(r"- Best on eval_v1: (−0\.\d+) at θ = (\d\.\d+)\.", printed)
    assert told
    with store.read() as connection:
        evidence = read_evidence(connection, "tiny.reason-first", "eval_v1")
    best = measure(evidence, cumpt(evidence.tier_probs, [float(told[2])] * 3), resamples=100)
    error = next(of.value for of in best if of.metric == "mae")
    assert float(told[1].replace("−", "-")) == pytest.approx(-error, abs=0.01)


def test_a_calibrated_predictor_tells_what_it_stands_on(store: Store) -> None:
    calibrate(
        store,
        "tiny.reason-first",
        "temperature",
        fit_split="calibration_v1",
        judge_split="eval_v1",
        same_split=False,
        resamples=100,
        seed=0,
    )
    printed = run(store, "--predictor", "tiny.reason-first.temperature", *SLOW[2:])
    assert "- calibrates: tiny.reason-first\n- fit split: calibration_v1\n- method: temperature\n" in printed
    assert "- model: tiny (SHA-256 text)\n- prompt: reason-first (reason-first)\n" in printed
    assert "Reasoning: The query names pan" in printed


def test_a_calibration_on_the_split_judged_is_marked_too(store: Store) -> None:
    calibrate(
        store,
        "tiny.answer-first",
        "temperature",
        fit_split="eval_v1",
        judge_split="eval_v1",
        same_split=True,
        resamples=100,
        seed=0,
    )
    printed = run(store, "--predictor", "tiny.answer-first.temperature", *SLOW[2:])
    assert "**Do not decide by this report. Judged on eval_v1, on which it was fitted:" in printed
    assert "## Metrics (these numbers flatter)" in printed


def test_a_file_is_named(store: Store, tmp_path: Path) -> None:
    with store.read() as connection:
        pairs = connection.execute("SELECT pair_id FROM split_members WHERE split = 'eval_v1'").fetchall()
    file = tmp_path / "bert.csv"
    file.write_text("pair_id,p1,p2,p3,p4\n" + "".join(f"{pair},0.1,0.2,0.3,0.4\n" for (pair,) in pairs))
    predict_from_file(store, "eval_v1", file)
    printed = run(store, "--predictor", "bert", *SLOW[2:])
    assert "- predictor: bert (file)\n" in printed
    assert re.search(r"- file: .*bert\.csv\n", printed)
    assert "The file gave probabilities only." in printed


def test_a_correction_by_a_person_is_shown(store: Store) -> None:
    ledger = Run("review", {})
    with store.write(ledger) as connection:
        pairs = connection.execute("SELECT pair_id FROM split_members WHERE split = 'eval_v1'").fetchall()
        insert_rows(
            connection,
            "rationales",
            [
                row(
                    "rationales",
                    rationale_id=content_id("rationale", str(pair_id)),
                    pair_id=pair_id,
                    text="It is a lid, so tier 2.",
                    run_id=ledger.run_id,
                )
                for (pair_id,) in pairs
            ],
        )
    assert "Written by a person: It is a lid, so tier 2." in run(store, *SLOW)


def test_a_user_fits_and_reports(store: Store, tmp_path: Path) -> None:
    def tierwise(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "eval", *map(str, arguments), "--db", str(store.path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    splits = ("--fit", "calibration_v1", "--judge", "eval_v1", "--resamples", 100)
    fitted = json.loads(tierwise("partition", "fit", *SLOW[:2], *splits, "--json"))
    out = tmp_path / "r.html"
    told = json.loads(tierwise("report", *SLOW, "--out", out, "--json"))
    assert told["partition_id"] == fitted["partition_id"]
    page = Page(out.read_text(encoding="utf-8"))
    assert "one theta (chosen)" in page.text or "per boundary (chosen)" in page.text
