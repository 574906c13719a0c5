from __future__ import annotations

import contextlib
import functools
import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from curation.backends import Decoding, Failure
from curation.budget import Budget, Price
from curation.rationales.writing import write_rationales
from curation.rulebook.reading import built_in
from tests.curation.conftest import rows
from tests.curation.rationales.conftest import Scripted, model, rationale_of
from warehouse.errors import TierwiseError
from warehouse.ids import content_id
from warehouse.ledger import Run
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from curation.rationales.writing import Gold
    from tests.curation.conftest import RunCommand, RunProcess

SAMPLES = "SELECT count(*) AS n, count(DISTINCT sample_id) AS distinct_n FROM samples"


def write(
    path: Path, teacher: Scripted, name: str = "teacher", gold: Gold = "blind", tries: int = 2, **more: Any
) -> dict[str, Any]:
    reference = model(name, path.parent)
    return write_rationales(
        Store(path), reference, lambda: teacher, Decoding(max_tokens=64), gold=gold, tries=tries, **more
    )


def test_the_shops_derivations_become_rationales_that_cite_rules(command: RunCommand, shop: Path) -> None:
    done = command("curation", "rationales", "--teacher", "shop", "--json", "--db", shop)
    summary = json.loads(done.stdout)
    assert (summary["pairs_with_a_rationale"], summary["pairs_left"], summary["rejected"]) == (80, 0, {})
    found = rows(command, shop, "FROM rationale_overview")
    assert {(row["gold"], row["written_by"], row["lands"], row["source"]) for row in found} == {
        ("conditioned", "shop", True, "teacher")
    }
    assert all(row["rules_cited"] and "exact-category" in row["rules_shown"] for row in found)
    again = json.loads(command("curation", "rationales", "--teacher", "shop", "--json", "--db", shop).stdout)
    assert (again["drawn"], again["rationales"]) == (0, 0)
    assert rows(command, shop, SAMPLES) == [{"n": 80, "distinct_n": 80}]


def test_held_out_wordings_are_another_teacher(command: RunCommand, shop: Path) -> None:
    for teacher in ("shop", "shop-held-out"):
        command("curation", "rationales", "--teacher", teacher, "--limit", "20", "--db", shop)
    texts = rows(
        command,
        shop,
        "SELECT count(*) AS n, count(DISTINCT written_by) AS teachers, count(DISTINCT text) AS texts FROM rationales",
    )
    assert texts == [{"n": 40, "teachers": 2, "texts": 40}]


def test_a_rationale_leads_back_to_its_prompt_rules_and_pair(command: RunCommand, shop: Path) -> None:
    command("curation", "rationales", "--teacher", "shop", "--limit", "1", "--db", shop)
    (row,) = rows(command, shop, "SELECT rationale_id FROM rationales")
    lineage = command("warehouse", "lineage", row["rationale_id"], "--db", shop).stdout
    for part in ("gold-conditioned by shop", "of shop version 1", "model ", "shop.csv:"):
        assert part in lineage
    rule = rows(command, shop, "SELECT rule_id FROM rules WHERE rule = 'missed-must'")[0]["rule_id"]
    assert "missed-must of shop version 1" in command("warehouse", "lineage", rule, "--db", shop).stdout


def test_a_blind_teacher_is_asked_until_it_lands_on_gold(command: RunCommand, shop: Path) -> None:
    gold = {
        row["title"]: row["name"]
        for row in rows(command, shop, "SELECT title, tier_name(tier) AS name FROM pair_overview")
    }

    def says(prompt: str, tried: int) -> str:
        title = prompt.split("title: ", 1)[1].split("\n", 1)[0]
        return rationale_of(gold[title] if tried == 3 else "Excellent")

    teacher = Scripted(says)
    summary = write(shop, teacher, tries=4)
    excellent = sum(name == "Excellent" for name in gold.values())
    pairs = summary["pairs"]
    assert summary["pairs_with_a_rationale"] == pairs
    assert 0 < excellent < pairs
    tiers = rows(command, shop, "SELECT tier, count(*) AS n FROM pairs GROUP BY 1")
    easy = next(row["n"] for row in tiers if row["tier"] == 4)
    assert summary["drawn"] == len(teacher.asked) == easy + 3 * (pairs - easy)
    assert (
        "gave this pair"
        not in rows(command, shop, "SELECT messages FROM rendered_prompts LIMIT 1")[0]["messages"]
    )


def test_a_conditioned_teacher_is_told_the_tier_and_marked(command: RunCommand, shop: Path) -> None:
    def says(prompt: str, _: int) -> str:
        return rationale_of(prompt.rsplit("gave this pair: ", 1)[1].split()[1])

    summary = write(shop, Scripted(says), gold="conditioned")
    assert (summary["drawn"], summary["pairs_with_a_rationale"]) == (80, 80)
    assert rows(command, shop, "SELECT DISTINCT gold FROM rationales") == [{"gold": "conditioned"}]
    assert rows(command, shop, "SELECT purpose FROM prompts") == [{"purpose": "rationales-for-gold"}]
    assert rows(command, shop, "SELECT count(*) AS n FROM newest_configuration") == [{"n": 0}]


def test_what_is_no_rationale_is_kept_with_its_reason(command: RunCommand, shop: Path) -> None:
    said = ["", "<html>502</html>", '{"Query": "half a', "x" * 100_000, "I think it is fine."]
    teacher = Scripted(lambda _, tried: said[tried - 1])
    summary = write(shop, teacher, tries=5, limit=3)
    assert summary["rejected"] == dict.fromkeys(("empty", "HTML", "JSON", "too long", "not in the form"), 3)
    assert (summary["drawn"], summary["rationales"]) == (15, 0)
    assert (summary["pairs_that_never_landed"], summary["pairs_left"]) == (3, 0)
    assert rows(command, shop, SAMPLES) == [{"n": 15, "distinct_n": 15}]
    assert rows(command, shop, "SELECT count(*) AS n FROM rationale_rejects") == [{"n": 15}]
    assert write(shop, teacher, tries=5, limit=3)["drawn"] == 0
    assert write(shop, Scripted(lambda *_: rationale_of("Mismatch")), tries=6, limit=3)["drawn"] == 3


def test_a_budget_stops_cleanly_and_the_same_call_goes_on(command: RunCommand, shop: Path) -> None:
    teacher = Scripted(lambda *_: rationale_of("Mismatch"))
    first = write(shop, teacher, tries=1, limit=20, budget=Budget(tokens=1_000))
    # Seven answers of 150 tokens reach it.
    assert (first["drawn"], first["pairs_left"]) == (7, 13)
    second = write(shop, teacher, tries=1, limit=20, budget=Budget(usd=0.001, price=Price(2, 4)))
    assert (second["drawn"], second["pairs_left"], second["usd"]) == (3, 10, 0.0012)
    rest = write(shop, teacher, tries=1, limit=20)
    assert (rest["drawn"], rest["pairs_left"]) == (10, 0)
    assert rows(command, shop, SAMPLES) == [{"n": 20, "distinct_n": 20}]


def test_a_budget_covers_all_tries_of_a_call(shop: Path) -> None:
    teacher = Scripted(lambda *_: "no rationale")
    summary = write(shop, teacher, tries=5, limit=4, budget=Budget(tokens=150 * 6))
    assert summary["drawn"] == 6


def test_a_budget_of_zero_asks_nothing(shop: Path) -> None:
    teacher = Scripted(lambda *_: rationale_of("Mismatch"))
    summary = write(shop, teacher, limit=5, budget=Budget(tokens=0))
    assert (summary["drawn"], summary["pairs_left"], teacher.asked) == (0, 5, [])


def test_a_server_that_was_silent_is_asked_again_and_a_prompt_it_refused_is_not(shop: Path) -> None:
    failing = {"silent": Failure("", "no answer in time", lasting=False), "refused": Failure("", "too long")}
    moods = iter(["silent", "refused", "fine"])
    by_prompt: dict[str, str] = {}

    def says(prompt: str, _: int) -> str | Failure:
        mood = by_prompt.setdefault(prompt, next(moods, "fine"))
        return failing.get(mood) or rationale_of("Mismatch")

    first = write(shop, Scripted(says), tries=1, limit=3)
    assert (first["drawn"], first["unanswered"], first["failures"]) == (1, 1, 1)
    assert (first["pairs_left"], first["pairs_that_never_landed"]) == (
        1,
        1 + (first["pairs_with_a_rationale"] == 0),
    )
    again = Scripted(lambda *_: rationale_of("Mismatch"))
    write(shop, again, tries=1, limit=3)
    assert len(again.asked) == 1
    once_more = Scripted(lambda *_: rationale_of("Mismatch"))
    write(shop, once_more, tries=1, limit=3, retry_failed=True)
    assert len(once_more.asked) == 1


def test_teachers_who_agree_against_gold_are_a_dispute(command: RunCommand, shop: Path) -> None:
    stubborn = functools.partial(Scripted, lambda *_: rationale_of("Excellent"))
    assert write(shop, stubborn(), "first", tries=1)["teachers_agree_against_gold"] == 0
    assert write(shop, stubborn(), "told", "conditioned", tries=1)["teachers_agree_against_gold"] == 0
    summary = write(shop, stubborn(), "second", tries=1)
    disputes = rows(command, shop, "FROM teacher_disputes")
    assert summary["teachers_agree_against_gold"] == len(disputes) == 60
    assert {row["suggested_tier"] for row in disputes} == {4}
    assert all(row["gold_tier"] < 4 and row["teachers"] == ["first", "second"] for row in disputes)
    decided = ("--tier", str(disputes[0]["gold_tier"]), "--by", "ann", "--reason", "as it was")
    command("curation", "conflicts", "decide", disputes[0]["pair_id"], *decided, "--db", shop)
    assert rows(command, shop, "SELECT count(*) AS n FROM teacher_disputes") == [{"n": 59}]
    write(shop, Scripted(lambda *_: rationale_of("Mismatch")), "third", tries=1)
    assert rows(command, shop, "FROM teacher_disputes") == []


def test_gold_that_changes_calls_for_another_rationale(command: RunCommand, shop: Path) -> None:
    teacher = Scripted(lambda *_: rationale_of("Mismatch"))
    write(shop, teacher, tries=1)
    landed = "SELECT pair_id FROM rationale_overview WHERE lands ORDER BY pair_id LIMIT 1"
    (row,) = rows(command, shop, landed)
    decide = ("--tier", "3", "--by", "ann", "--reason", "stands in")
    command("curation", "conflicts", "decide", row["pair_id"], *decide, "--db", shop)
    assert write(shop, Scripted(lambda *_: rationale_of("Related")), tries=2)["drawn"] == 61


def test_a_dry_run_says_what_it_would_cost(command: RunCommand, shop: Path) -> None:
    teacher = Scripted(lambda *_: rationale_of("Mismatch"))
    asked: dict[str, Any] = {"limit": 10, "dry_run": True, "tries": 4, "budget": Budget(price=Price(1, 2))}
    summary = write(shop, teacher, **asked)
    first, most = summary["first_try"], summary["all_tries"]
    assert (summary["pairs_to_ask"], first["to_draw"], most["to_draw"], teacher.asked) == (10, 10, 40, [])
    assert (first["completion_tokens_at_most"], most["completion_tokens_at_most"]) == (640, 2560)
    assert 2_000 < first["prompt_tokens_about"] == most["prompt_tokens_about"] // 4
    assert rows(command, shop, "SELECT count(*) AS n FROM runs WHERE kind = 'rationales'") == [{"n": 0}]
    write(shop, teacher, limit=10, tries=1)
    left = write(shop, teacher, **asked)
    assert left["first_try"]["to_draw"] == left["pairs_to_ask"] == left["all_tries"]["to_draw"] // 3 < 10


def test_a_prompt_that_is_never_answered_keeps_nobody_else_waiting(shop: Path) -> None:
    def says(prompt: str, tried: int) -> str | Failure:
        dead = first.setdefault("prompt", prompt)
        if prompt == dead:
            return Failure("", "500", lasting=False)
        return rationale_of("Mismatch")

    first: dict[str, str] = {}
    teacher = Scripted(says)
    summary = write(shop, teacher, tries=3, limit=8)
    assert max(teacher.asked.count(key) for key in teacher.asked) == 3
    assert summary["pairs_left"] == 1
    assert summary["pairs_with_a_rationale"] + summary["pairs_that_never_landed"] == 7


def test_another_version_of_the_rulebook_asks_anew_only_where_it_shows_other_rules(
    command: RunCommand, shop: Path, tmp_path: Path
) -> None:
    def told(prompt: str, _: int) -> str:
        return rationale_of(prompt.rsplit("gave this pair: ", 1)[1].split()[1])

    assert write(shop, Scripted(told), gold="conditioned")["drawn"] == 80
    book = built_in("shop").read_text(encoding="utf-8").replace("version: 1", "version: 2")
    second = tmp_path / "shop.yaml"
    second.write_text(book, encoding="utf-8")
    command("curation", "rules", "load", second, "--db", shop)
    assert write(shop, Scripted(told), gold="conditioned")["drawn"] == 0
    changed = book.replace("version: 2", "version: 3").replace(
        "An alternative, a dupe", "An alternative, a double"
    )
    second.write_text(changed, encoding="utf-8")
    command("curation", "rules", "load", second, "--db", shop)
    alternatives = rows(command, shop, "SELECT count(*) AS n FROM pair_overview WHERE kind = 'alternative'")
    assert write(shop, Scripted(told), gold="conditioned")["drawn"] == alternatives[0]["n"]


def test_what_landed_counts_while_somebody_holds_the_store(shop: Path) -> None:
    def told(prompt: str, tried: int) -> str:
        if tried == 1 and "held" not in state:
            state["held"] = duckdb.connect(str(shop), read_only=True)
        return rationale_of(prompt.rsplit("gave this pair: ", 1)[1].split()[1])

    state: dict[str, Any] = {}
    teacher = Scripted(told)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIERWISE_LOCK_SECONDS", "0.2")
        with contextlib.suppress(TierwiseError):
            write(shop, teacher, gold="conditioned", tries=4, limit=12)
        state["held"].close()
        summary = write(shop, teacher, gold="conditioned", tries=4, limit=12)
    assert (len(teacher.asked), summary["pairs_with_a_rationale"]) == (12, 12)


def test_a_new_text_of_the_item_asks_anew(command: RunCommand, shop: Path) -> None:
    def told(prompt: str, _: int) -> str:
        return rationale_of(prompt.rsplit("gave this pair: ", 1)[1].split()[1])

    write(shop, Scripted(told), gold="conditioned", limit=3)
    with Store(shop).write(Run("test", {})) as connection:
        pair, version = connection.execute(
            "SELECT pair_id, item_version_id FROM pairs ORDER BY pair_id LIMIT 1"
        ).fetchall()[0]
        for changed, text in (("same", "title"), ("other", "'Another title'")):
            connection.execute(
                "INSERT INTO item_versions BY NAME SELECT * REPLACE (? AS item_version_id, 9 AS version, "
                f"{text} AS title, NULL::JSON AS attributes) FROM item_versions WHERE item_version_id = ?",
                [content_id(changed), version],
            )
        connection.execute(
            "UPDATE pairs SET item_version_id = ? WHERE pair_id = ?", [content_id("same"), pair]
        )
    # The prompt shows the price of the attributes, so it is another one where that goes.
    assert write(shop, Scripted(told), gold="conditioned", limit=3)["drawn"] == 1
    assert rows(command, shop, "SELECT count(*) AS n FROM rationale_overview WHERE lands") == [{"n": 4}]
    with Store(shop).write(Run("test", {})) as connection:
        connection.execute(
            "UPDATE pairs SET item_version_id = ? WHERE pair_id = ?", [content_id("other"), pair]
        )
    assert write(shop, Scripted(told), gold="conditioned", limit=3)["drawn"] == 1
    assert rows(command, shop, "SELECT count(*) AS n FROM rationale_overview WHERE lands") == [{"n": 3}]


def test_a_teachers_configuration_judges_nothing(command: RunCommand, shop: Path, tiny_model: Path) -> None:
    done = command("curation", "rationales", "--teacher", "shop", "--json", "--db", shop)
    configuration = json.loads(done.stdout)["configuration"]
    told = command("curation", "difficulty", "--db", shop)
    assert "solved" not in told.stdout
    assert rows(command, shop, "SELECT count(*) AS n FROM difficulty") == [{"n": 0}]
    for arguments in (("split", "create", "leak"), ("pairs",), ("suspects", "--scorer", "samples")):
        named = ("--configuration", configuration, "--db", shop)
        refused = command("curation", *arguments, *named, code=1).stderr
        assert "is the configuration of a teacher, which judges nothing by itself" in refused


@pytest.mark.parametrize("moment", ["part", "merge", "collect"])
def test_killed_it_loses_nothing_and_asks_nothing_twice(
    process: RunProcess, command: RunCommand, shop: Path, moment: str
) -> None:
    asked = ("curation", "rationales", "--teacher", "shop", "--db", shop)
    process(*asked, code=-9, env={"TIERWISE_DIE_AT": moment})
    process(*asked)
    assert rows(command, shop, SAMPLES) == [{"n": 80, "distinct_n": 80}]
    assert rows(command, shop, "SELECT count(*) AS n, count(DISTINCT sample_id) AS m FROM rationales") == [
        {"n": 80, "m": 80}
    ]


def test_a_random_model_as_teacher_writes_nothing_and_says_so(
    command: RunCommand, shop: Path, tiny_model: Path
) -> None:
    asked = (
        "--teacher",
        tiny_model,
        "--tries",
        "2",
        "--limit",
        "4",
        "--max-tokens",
        "24",
        "--json",
        "--db",
        shop,
    )
    summary = json.loads(command("curation", "rationales", *asked).stdout)
    assert (summary["drawn"], summary["rationales"], summary["pairs_that_never_landed"]) == (8, 0, 4)
    assert sum(summary["rejected"].values()) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--teacher", "shop", "--gold", "blind"), "leave --gold out"),
        (("--teacher", "shop", "--rulebook", "nope"), "no rulebook nope in this store"),
        (("--teacher", "nowhere/nothing/at-all"), "does not exist"),
        (("--teacher", "shop", "--budget", "tokens=x"), "is not tokens=AMOUNT"),
        (("--teacher", "shop", "--where", "no_column = 1"), "columns are those of pair_overview"),
        (("--teacher", "shop", "--where", "tier = 9"), "no pair with a tier matches"),
    ],
)
def test_wrong_input_is_told_in_one_line(
    command: RunCommand, shop: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = command("curation", "rationales", *arguments, "--db", shop, code=1)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_rulebook_it_says_how_to_load_one(command: RunCommand, sampled_store: Path) -> None:
    done = command("curation", "rationales", "--teacher", "shop", "--db", sampled_store, code=1)
    assert "`python -m curation rules load FILE` brings one" in done.stderr


def test_a_pair_that_is_not_the_shops_has_no_derivation(command: RunCommand, store: Path) -> None:
    command("curation", "rules", "load", "shop", "--db", store)
    done = command("curation", "rationales", "--teacher", "shop", "--json", "--db", store)
    summary = json.loads(done.stdout)
    assert (summary["drawn"], summary["failures"], summary["pairs_that_never_landed"]) == (0, 60, 60)


def test_teachers_prompts_are_not_for_students(command: RunCommand, shop: Path) -> None:
    done = command("curation", "sample", "--n", "1", "--prompt", "rationale", "--db", shop, code=1)
    assert "`python -m curation rationales` asks them" in done.stderr


def test_a_teacher_that_breaks_leaves_what_it_answered(shop: Path) -> None:
    def says(_: str, __: int) -> str:
        if len(teacher.asked) > 5:
            raise TierwiseError("the server is gone; run the same command again")
        return rationale_of("Mismatch")

    teacher = Scripted(says)
    with pytest.raises(TierwiseError, match="the server is gone"):
        write(shop, teacher, tries=1, limit=10)
    rest = Scripted(lambda *_: rationale_of("Mismatch"))
    summary = write(shop, rest, tries=1, limit=10)
    assert (len(rest.asked), summary["pairs_left"]) == (5, 0)
