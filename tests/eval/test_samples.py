"""``eval samples`` on a store made by the real commands, with samples whose numbers are known."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from curation.backends import Decoding, Failure
from curation.configurations import Configuration
from curation.models import resolve
from curation.prompts import load_template
from curation.sampling import sample
from tests.curation.chains import continued, sampled
from tests.curation.conftest import MAPPING, command, offline, process, rows, tiny_model
from tests.curation.rationales.conftest import Scripted
from tests.warehouse.support import row
from warehouse.ledger import Run
from warehouse.parts import insert_rows
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand, RunProcess

__all__ = ["command", "offline", "process", "tiny_model"]

SAYS = "It is a shelf.\nTier: {}"
SILENT = "It is a shelf."
QUICK = ("--split", "eval_v1", "--resamples", "100")
EVERYTHING = "FROM evaluations ORDER BY evaluation_id"


def judge(folder: Path, labels: list[int], *, text: str = "text") -> Path:
    """Two pairs of the first query, one of the second; the second pair weighs three."""
    judged = folder / "judged.csv"
    lines = [
        f"shelf {max(n - 1, 0)},Item {n},{text} {n},{label},{3 if n == 1 else 1},{n}\n"
        for n, label in enumerate(labels)
    ]
    judged.write_text("query,title,description,label,weight,item\n" + "".join(lines), encoding="utf-8")
    return judged


def ingest(command: RunCommand, store: Path, judged: Path) -> None:
    more = ("--map", "weight=weight", "item_id=item")
    command("curation", "ingest", "table", judged, *MAPPING, *more, "--db", store)


@pytest.fixture
def store(tmp_path: Path, command: RunCommand) -> Path:
    """Three pairs of tiers 3, 3 and 1, frozen in eval_v1 before anything was sampled."""
    store = tmp_path / "tierwise.duckdb"
    ingest(command, store, judge(tmp_path, [3, 3, 1]))
    command("curation", "split", "create", "eval", "--role", "eval", "--db", store)
    return store


@pytest.fixture
def drawn(store: Path, tiny_model: Path) -> str:
    """Four samples of the first two pairs, eight of the third; their configuration."""
    sampled(store, tiny_model, [SAYS.format(tier) for tier in (3, 3, 1, 3)], title="Item 0")
    sampled(store, tiny_model, [SAYS.format(1), SILENT, SAYS.format(3), SAYS.format(1)], title="Item 1")
    return sampled(store, tiny_model, [SAYS.format(1)] * 8, title="Item 2")


def measured(command: RunCommand, store: Path, *more: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(
        command("eval", "samples", *QUICK, *more, "--json", "--db", store).stdout
    )
    return told


def values(told: dict[str, Any]) -> dict[str, float]:
    return {of["metric"]: of["value"] for of in told["metrics"]}


def find(store: Path, errors: list[tuple[str, int, str, str, str]]) -> None:
    """Let the checks have found this: title, index of the sample, checker, kind and severity of each."""
    ledger = Run("check", {})
    with Store(store).write(ledger) as connection:
        connection.execute("DELETE FROM findings")
        for title, index, checker, kind, severity in errors:
            found = connection.execute(
                "SELECT sample_id, s.pair_id, coalesce((SELECT max(checker_version) FROM checked_texts k "
                "WHERE k.text_id = s.sample_id AND k.checker = ?), '1') FROM samples s JOIN pair_overview o "
                "ON o.pair_id = s.pair_id WHERE o.title = ? AND sample_index = ?",
                [checker, title, index],
            ).fetchall()
            text, pair, version = found[0]
            shared = {
                "text_id": text,
                "pair_id": pair,
                "checker": checker,
                "checker_version": version,
                "run_id": ledger.run_id,
            }
            insert_rows(connection, "checked_texts", [row("checked_texts", **shared, findings=1)])
            (finding,) = connection.execute("SELECT uuid()").fetchall()[0]
            more = {"finding_id": finding, "kind": kind, "severity": severity}
            insert_rows(connection, "findings", [row("findings", **shared, **more)])


@pytest.mark.usefixtures("drawn")
def test_exact_values_whole_and_by_slice(command: RunCommand, store: Path) -> None:
    command("curation", "check", "--db", store)
    find(
        store,
        [
            ("Item 0", 0, "text", "verdict", "error"),
            ("Item 0", 0, "text", "grounding", "error"),
            ("Item 0", 1, "text", "rule", "warning"),
            ("Item 1", 2, "text", "form", "error"),
            ("Item 2", 0, "a model", "verdict", "error"),
        ],
    )
    with duckdb.connect(str(store)) as connection:
        connection.execute(
            "UPDATE samples SET completion_tokens = 10 + 2 * sample_index, "
            "finish_reason = CASE sample_index WHEN 3 THEN 'length' ELSE 'stop' END"
        )
    told = measured(command, store)
    # The pairs weigh 1, 3 and 1, their samples too.
    of_all = 4 + 3 * 4 + 8
    assert values(told) == pytest.approx(
        {
            "pass_1": (3 / 4 + 3 * 1 / 4 + 1) / 5,
            "pass_2": (1 + 3 * 1 / 2 + 1) / 5,
            "pass_4": 1,
            "unparsable": 3 * 1 / of_all,
            "unfinished": (1 + 3 + 1) / of_all,
            "hallucination_rate": (1 + 3) / of_all,
            "hallucination_rate.verdict": 1 / of_all,
            "hallucination_rate.grounding": 1 / of_all,
            "hallucination_rate.rule": 0,
            "hallucination_rate.form": 3 / of_all,
            "hallucination_rate.copy": 0,
            "completion_tokens": (52 + 3 * 52 + 136) / of_all,
            "self_agreement": (3 / 4 + 3 * 2 / 4 + 1) / 5,
        },
        abs=1e-8,
    )
    assert (told["pairs"], told["queries"], told["samples"], told["checked"]) == (3, 2, 16, 16)
    assert told["weighted"]
    assert "pass_8 is left out: 2 of the 3 pairs have fewer than 8 samples" in told["warnings"]
    by_gold = {
        of["slice_value"]: of for of in told["slices"] if (of["slice"], of["metric"]) == ("gold", "pass_1")
    }
    assert by_gold["1"]["value"] == 1
    assert by_gold["3"]["value"] == pytest.approx((3 / 4 + 3 * 1 / 4) / 4)
    assert (by_gold["3"]["pairs"], by_gold["3"]["queries"]) == (2, 1)
    assert by_gold["3"]["reason"] == "no interval: it takes two queries"


def test_what_is_told_is_stored_with_a_lineage(command: RunCommand, store: Path, drawn: str) -> None:
    told = measured(command, store)
    stored = rows(command, store, EVERYTHING)
    assert len(stored) == len(told["metrics"]) + len(told["slices"]) == told["new"]
    assert {(each["configuration_id"], each["predictor_id"], each["split"]) for each in stored} == {
        (drawn, None, "eval_v1")
    }
    whole = {each["metric"]: each for each in stored if each["slice"] == "all"}
    for of in told["metrics"]:
        kept = whole[of["metric"]]
        assert {name: kept[name] for name in of} == of
    traced = command("warehouse", "lineage", whole["pass_1"]["evaluation_id"], "--db", store).stdout
    assert traced.startswith("evaluation ")
    for kind in ("configuration", "model", "prompt", "split"):
        assert f"  {kind} " in traced
    ledger = rows(command, store, "SELECT kind, configuration_id, summary FROM runs ORDER BY started_at")[-1]
    assert (ledger["kind"], ledger["configuration_id"]) == ("samples", drawn)
    assert ledger["summary"]["new"] == told["new"]


def test_a_second_run_adds_nothing_and_more_samples_take_the_place_of_the_former(
    command: RunCommand, store: Path, tiny_model: Path, drawn: str
) -> None:
    first = measured(command, store)
    stored = rows(command, store, EVERYTHING)
    again = measured(command, store)
    assert (again["new"], again["changed"], again["removed"]) == (0, 0, 0)
    assert rows(command, store, EVERYTHING) == stored
    for item in (0, 1):
        sampled(store, tiny_model, [SAYS.format(2)] * 8, title=f"Item {item}")
    more = measured(command, store, "--configuration", drawn[:8])
    assert more["new"] == len(more["metrics"]) + len(more["slices"]) - len(stored) > 0
    assert more["changed"] > 0
    assert values(more).keys() - values(first).keys() == {"pass_8"}
    assert values(more)["pass_1"] == pytest.approx((3 / 8 + 3 * 1 / 8 + 1) / 5)


def test_texts_are_checked_first(command: RunCommand, store: Path, drawn: str) -> None:
    told = measured(command, store)
    assert told["checked"] == told["samples"] == 16
    # The view counts each sample once, whatever its pair weighs.
    seen = rows(
        command,
        store,
        "SELECT kind, sum(found) AS found FROM hallucinations WHERE checker = 'text' AND step = 'any' "
        f"AND configuration_id = '{drawn}' GROUP BY kind",
    )
    with duckdb.connect(str(store)) as connection:
        connection.execute("UPDATE split_members SET weight = 1")
    unweighted = values(measured(command, store))
    assert {each["kind"]: each["found"] / 16 for each in seen} == pytest.approx(
        {
            kind: unweighted["hallucination_rate" if kind == "any" else f"hallucination_rate.{kind}"]
            for kind in ("any", "verdict", "grounding", "rule", "form", "copy")
        },
        abs=1e-8,
    )
    assert unweighted["hallucination_rate"] > 0


def test_no_sample_of_another_configuration_or_of_a_continuation_counts(
    command: RunCommand, store: Path, tiny_model: Path, drawn: str
) -> None:
    before = measured(command, store)
    continued(store, Scripted(lambda *_: "\nTier: 2"), rollouts=2, configuration=drawn)
    hotter = {
        title: sampled(store, tiny_model, [SAYS.format(2)], title=title, decoding=Decoding(temperature=2.0))
        for title in ("Item 0", "Item 1", "Item 2")
    }
    after = measured(command, store, "--configuration", drawn)
    assert after["metrics"] == before["metrics"]
    assert (after["new"], after["changed"], after["removed"]) == (0, 0, 0)
    newest = measured(command, store)
    assert newest["configuration_id"] == hotter["Item 2"] != drawn
    assert values(newest)["pass_1"] == 0
    assert {of["metric"] for of in newest["metrics"]} & {"pass_2"} == set()
    counts = rows(command, store, "SELECT configuration_id, count(*) AS n FROM evaluations GROUP BY ALL")
    assert {each["configuration_id"]: each["n"] for each in counts} == {
        drawn: before["new"],
        newest["configuration_id"]: newest["new"],
    }
    continuing = rows(command, store, "SELECT DISTINCT continued_by FROM sample_steps")[0]["continued_by"]
    refused = command("eval", "samples", *QUICK, "--configuration", continuing, "--db", store, code=1).stderr
    assert "is the configuration of continuations" in refused


def test_the_frozen_gold_counts_and_the_frozen_text(
    command: RunCommand, store: Path, tmp_path: Path, tiny_model: Path, drawn: str
) -> None:
    before = values(measured(command, store))
    ingest(command, store, judge(tmp_path, [4, 3, 1]))
    told = measured(command, store)
    assert values(told) == before
    assert (
        "the gold tier of 1 pair has changed since eval_v1 was frozen; the frozen one counts"
        in told["warnings"]
    )
    # Other texts of the items, judged anew, and samples of those.
    ingest(command, store, judge(tmp_path, [2, 2, 2], text="another text"))
    for item in range(3):
        assert sampled(store, tiny_model, [SAYS.format(2)] * 4, title=f"Item {item}") == drawn
    assert rows(command, store, "SELECT count(*) AS n FROM samples") == [{"n": 16 + 12}]
    assert measured(command, store)["samples"] == told["samples"] == 16
    assert values(measured(command, store)) == before


def test_pairs_without_samples_are_told_with_the_command_that_draws_them(
    command: RunCommand, store: Path, tmp_path: Path, tiny_model: Path
) -> None:
    drawn = sampled(
        store,
        tiny_model,
        ["3\nIt fits."] * 2,
        title="Item 0",
        prompt="answer-first",
        decoding=Decoding(top_p=0.9),
    )
    told = command("eval", "samples", *QUICK, "--db", store, code=1).stderr
    assert f"configuration {drawn[:8]} has no samples of 2 of the 3 pairs of eval_v1: run `" in told
    assert told.count("\n") == 1
    assert not rows(command, store, "SELECT 1 FROM runs WHERE kind IN ('check', 'samples')")
    python, _, package, *arguments = shlex.split(told.split("`")[1])
    assert (python, package) == ("python", "curation")
    dry = json.loads(command(package, *arguments, "--dry-run", "--json", "--db", store).stdout)
    assert (dry["configuration"], dry["pairs"], dry["to_draw"]) == (drawn, 3, 4)
    # What was frozen can be drawn no more.
    ingest(command, store, judge(tmp_path, [2, 2, 2], text="another text"))
    told = command("eval", "samples", *QUICK, "--db", store, code=1).stderr
    assert "2 of the 3 pairs of eval_v1, and 2 of these have another item text by now" in told
    assert (
        "no split other_v1; there are eval_v1"
        in command("eval", "samples", "--split", "other_v1", "--db", store, code=1).stderr
    )


def test_pairs_that_the_model_could_not_take_are_left_out_and_told(
    command: RunCommand, store: Path, tiny_model: Path
) -> None:
    configuration = Configuration(resolve(str(tiny_model)), load_template("reason-first"), Decoding())

    def draw(where: str) -> None:
        teacher = Scripted(
            lambda prompt, _: SAYS.format(3) if "Item 0" in prompt else Failure("", "too long", lasting=True)
        )
        sample(Store(store), configuration, lambda: teacher, n=2, where=where)

    draw("title = 'Item 2'")
    assert (
        "has no samples of 2 of the 3 pairs"
        in command("eval", "samples", *QUICK, "--db", store, code=1).stderr
    )
    draw("true")
    told = measured(command, store)
    assert (told["pairs"], told["failed"]) == (1, {"too long": 2})
    assert "2 pairs of eval_v1 could not be sampled and are left out: too long 2" in told["warnings"]
    with duckdb.connect(str(store)) as connection:
        connection.execute(
            "INSERT INTO sample_failures SELECT pair_id, configuration_id, prompt_hash, 'too hot', run_id FROM samples"
        )
        connection.execute("DELETE FROM samples")
    told_nothing = command("eval", "samples", *QUICK, "--db", store, code=1).stderr
    assert "could take no pair of eval_v1 (too hot, too long); nothing to measure" in told_nothing


def test_empty_texts_are_not_checked_and_told(command: RunCommand, store: Path, tiny_model: Path) -> None:
    for item in range(3):
        sampled(store, tiny_model, ["", SAYS.format(3)], title=f"Item {item}")
    told = measured(command, store)
    assert (told["samples"], told["checked"]) == (6, 3)
    assert values(told)["unparsable"] == 0.5
    assert any(
        warning.startswith("3 samples are left out of hallucination rates: empty")
        for warning in told["warnings"]
    )


@pytest.mark.usefixtures("drawn")
def test_a_predictor_on_the_same_split_keeps_its_metrics(command: RunCommand, store: Path) -> None:
    pairs = rows(command, store, "SELECT pair_id FROM split_members")
    file = store.with_name("vendor.csv")
    file.write_text(
        "\n".join(["pair_id,p1,p2,p3,p4", *(f"{each['pair_id']},0.1,0.2,0.3,0.4" for each in pairs)]),
        encoding="utf-8",
    )
    command("eval", "predict", "--split", "eval_v1", "--from", file, "--name", "vendor", "--db", store)
    metrics = ("eval", "metrics", "--predictor", "vendor", *QUICK, "--json", "--db", store)
    new = json.loads(command(*metrics).stdout)["new"]
    told = measured(command, store)
    again = json.loads(command(*metrics).stdout)
    assert (again["new"], again["changed"], again["removed"]) == (0, 0, 0)
    assert len(rows(command, store, EVERYTHING)) == new + told["new"]


def test_the_band_that_these_samples_made_is_no_slice(
    command: RunCommand, store: Path, tiny_model: Path, drawn: str
) -> None:
    command("curation", "difficulty", "--db", store)
    command("curation", "split", "create", "banded", "--role", "eval", "--db", store)
    on_banded = ("--split", "banded_v1", "--resamples", "100", "--db", store)
    mine = command("eval", "samples", *on_banded, "--configuration", drawn).stdout
    assert "no slices by band: that of banded_v1 is from these samples" in mine
    for item in range(3):
        other = sampled(
            store, tiny_model, [SAYS.format(3)], title=f"Item {item}", decoding=Decoding(temperature=0.5)
        )
    slices = json.loads(command("eval", "samples", *on_banded, "--configuration", other, "--json").stdout)[
        "slices"
    ]
    assert {
        of["slice_value"]: of["value"] for of in slices if of["slice"] == "band" and of["metric"] == "pass_1"
    } == {
        "easy": 1.0,
        "hard": 1.0,
        "solved": 0.0,
    }


@pytest.mark.usefixtures("drawn")
def test_on_the_terminal(process: RunProcess, store: Path) -> None:
    done = process("eval", "samples", *QUICK, "--db", store)
    assert " on eval_v1: 16 samples of 3 pairs, 2 queries, weighted by traffic\n" in done.stdout
    assert "! pass_8 is left out: 2 of the 3 pairs have fewer than 8 samples\n" in done.stdout
    assert "metric                        value" in done.stdout
    assert "Slices, worst pass@1 first" in done.stdout
    assert "no slices where all pairs are alike: kind plain" in done.stdout
    assert done.stderr == ""
