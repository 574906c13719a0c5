"""Difficulty and preferences against their definitions, on a store that the real commands made."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from scipy.stats import beta

from curation.grading import grade
from tests.curation.conftest import RunCommand, rows

if TYPE_CHECKING:
    from pathlib import Path


def band(n: int, c: int) -> str:
    if c == n:
        return "solved"
    return "easy" if c / n >= 3 / 4 else "medium" if c / n >= 3 / 8 else "hard" if c else "unsolved"


def test_difficulty_counts_what_the_grader_says(command: RunCommand, store: Path) -> None:
    correct: defaultdict[str, list[bool]] = defaultdict(list)
    for row in rows(
        command, store, "SELECT pair_id, text, p.tier FROM samples s JOIN pairs p USING (pair_id)"
    ):
        correct[row["pair_id"]].append(grade(row["text"], "answer-first", row["tier"]).outcome == "correct")
    found = rows(command, store, "FROM difficulty")
    assert len(found) == len(correct) == 60
    for row in found:
        n, c = len(correct[row["pair_id"]]), sum(correct[row["pair_id"]])
        assert (row["n"], row["c"], row["band"]) == (n, c, band(n, c))
        assert row["pass_1"] == pytest.approx(c / n)
        assert row["pass_n"] == (1.0 if c else 0.0)
        assert row["solve_rate_low"] == pytest.approx(beta.ppf(0.025, c + 0.5, n - c + 0.5))
        assert row["solve_rate_low"] < row["solve_rate"] < row["solve_rate_high"]
    assert {"solved", "unsolved"} & {row["band"] for row in found}


def test_the_same_again_changes_nothing(command: RunCommand, store: Path) -> None:
    before = rows(command, store, "SELECT * FROM difficulty ORDER BY difficulty_id")
    summary = json.loads(command("curation", "difficulty", "--json", "--db", store).stdout)
    assert (summary["graded"], summary["new"], summary["changed"], summary["removed"]) == (0, 0, 0, 0)
    assert rows(command, store, "SELECT * FROM difficulty ORDER BY difficulty_id") == before
    pairs = json.loads(
        command("curation", "pairs", "--max-length-ratio", "8", "--json", "--db", store).stdout
    )
    assert (pairs["new"], pairs["withdrawn"]) == (0, 0)
    assert pairs["preferences"] > 0


def preferences(command: RunCommand, store: Path, *options: str) -> list[dict[str, Any]]:
    command("curation", "pairs", *options, "--db", store)
    return rows(
        command,
        store,
        "SELECT p.*, c.prompt_hash AS chosen_prompt, r.prompt_hash AS rejected_prompt, c.tier AS chosen_tier, "
        "r.tier AS said_tier, g.tier AS gold, c.finish_reason, c.completion_tokens AS chosen_tokens, "
        "r.completion_tokens AS rejected_tokens, r.tier_probs "
        "FROM preferences p JOIN pairs g USING (pair_id) JOIN samples c ON c.sample_id = p.chosen_sample_id "
        "JOIN samples r ON r.sample_id = p.rejected_sample_id",
    )


@pytest.mark.parametrize(
    "options", [("--per-prompt", "1"), ("--per-prompt", "3", "--hardest-by", "distance")]
)
def test_every_preference_is_what_it_promises(
    options: tuple[str, ...], command: RunCommand, store: Path
) -> None:
    found = preferences(command, store, *options, "--max-length-ratio", "3")
    assert found
    by_prompt: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        by_prompt[row["prompt_hash"]].append(row)
        assert row["chosen_prompt"] == row["rejected_prompt"] == row["prompt_hash"]
        assert row["chosen"] != row["rejected"]
        assert row["chosen_tier"] == row["gold"] == row["gold_tier"]
        assert row["said_tier"] == row["rejected_tier"] != row["gold"]
        assert row["tier_distance"] == abs(row["rejected_tier"] - row["gold"])
        assert row["finish_reason"] == "stop"
        lengths = sorted((row["chosen_tokens"], row["rejected_tokens"]))
        assert row["length_ratio"] == pytest.approx(lengths[1] / lengths[0])
        assert row["length_ratio"] <= 3
        assert row["rejected_confidence"] == pytest.approx(row["tier_probs"][row["rejected_tier"] - 1])
    assert max(len(group) for group in by_prompt.values()) <= int(options[1])
    for group in by_prompt.values():
        assert len({(row["chosen"], row["rejected"]) for row in group}) == len(group)


def test_the_hardest_negative_comes_first(command: RunCommand, store: Path) -> None:
    """With one a prompt, no other wrong sample that has a match is more probable to the model."""
    wide = preferences(command, store, "--per-prompt", "100", "--max-length-ratio", "24")
    strongest: defaultdict[str, float] = defaultdict(float)
    for row in wide:
        strongest[row["prompt_hash"]] = max(strongest[row["prompt_hash"]], row["rejected_confidence"])
    for row in preferences(command, store, "--per-prompt", "1", "--max-length-ratio", "24"):
        assert row["rejected_confidence"] == pytest.approx(strongest[row["prompt_hash"]])


def test_in_balance_no_tier_is_taught_for_its_own_sake(command: RunCommand, store: Path) -> None:
    def by_tiers(*options: str) -> Counter[tuple[int, int]]:
        found = preferences(command, store, "--max-length-ratio", "24", *options)
        return Counter((row["gold_tier"], row["rejected_tier"]) for row in found)

    for per_prompt in ("1", "100"):
        options: tuple[str, ...] = ("--per-prompt", per_prompt)
        free, kept = by_tiers(*options), by_tiers(*options, "--balanced")
        assert any(free[a, b] != free[b, a] for a, b in free)
        assert kept == Counter({(a, b): min(n, free[b, a]) for (a, b), n in free.items() if free[b, a]})
        options += ("--balanced", "--max-length-ratio", "24", "--json", "--db", str(store))
        told = json.loads(command("curation", "pairs", *options).stdout)
        assert told["left_out_for_balance"] == free.total() - kept.total()
        assert told["prompts_with_preferences"] + sum(told["prompts_without"].values()) == told["prompts"]


def test_equal_texts_never_meet(command: RunCommand, store: Path) -> None:
    with duckdb.connect(str(store)) as connection:
        connection.execute(
            "UPDATE samples SET text = concat(tier, E'\\nSame words.'), finish_reason = 'stop'"
        )
    found = preferences(command, store, "--per-prompt", "50", "--max-length-ratio", "100")
    texts = [(row["prompt_hash"], row["chosen"], row["rejected"]) for row in found]
    assert texts
    assert len(set(texts)) == len(texts)
