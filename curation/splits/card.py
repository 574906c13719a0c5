"""The dataset card that goes with an export."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from curation.splits.inspect import show_split

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

LICENCES = {
    "esci": "Shopping Queries Data Set, Amazon 2022, Apache-2.0",
    "wands": "WANDS, Wayfair 2022, MIT",
    "crowdflower": "Search Results Relevance, CrowdFlower 2015, under the terms of its Kaggle competition",
}

_TABLES = {
    "pairs": "judged pairs with their texts",
    "sft": "prompt–completion: corrections by people, else correct samples of the model itself (rejection sampling)",
    "dpo": "preference: a correct text over a wrong sample for the same prompt, or a correction over what it corrects",
    "grpo": "prompt only, with the gold tier for the reward",
}


def is_card_of(path: Path, split: str) -> bool:
    """Whether the file at `path` is the card of an export of `split`."""
    return path.is_file() and f"\ntierwise_split: {split}\n" in path.read_text(
        encoding="utf-8", errors="replace"
    )


def dataset_card(
    connection: duckdb.DuckDBPyConnection, split: str, rows: dict[str, int], file_format: str
) -> str:
    """Markdown with a YAML head: recipe, counts, hash, sources and licences, known limits."""
    shown = show_split(connection, split)
    sampled = connection.execute(
        "SELECT concat(m.name, ', prompt ', t.name, ', `', c.decoding, '`') FROM splits s "
        "JOIN configurations c USING (configuration_id) JOIN models m USING (model_id) "
        "JOIN prompts t USING (prompt_id) WHERE s.split = ?",
        [split],
    ).fetchall()
    sources = connection.execute(
        "SELECT p.source, count(*) FROM split_members m JOIN pairs p USING (pair_id) WHERE m.split = ? "
        "GROUP BY 1 ORDER BY 1",
        [split],
    ).fetchall()
    recipe = json.loads(shown["recipe"])
    written = [name for name in rows if rows[name]]
    empty = [name for name in rows if not rows[name]]
    configs = "".join(
        f"- config_name: {name}\n  data_files: {name}.{file_format}\n"
        for name in written
        if file_format != "hf"
    )
    head = f"---\npretty_name: {split}\ntierwise_split: {split}\ntags:\n- search-relevance\n- tierwise\n"
    head += f"configs:\n{configs}---\n" if configs else "---\n"
    sections = [
        f"# {split}",
        f"A frozen split of query–item pairs for the role **{shown['role']}**, made by Tierwise on "
        f"{shown['created_at'][:10]}. SHA-256 of its content: `{shown['content_hash']}`.",
        "## Recipe\n\n"
        + _table(
            [
                ("where", f"`{recipe['where']}`" if recipe["where"] else "every pair with a tier"),
                ("size asked for", recipe["size"] or "all"),
                ("reviewed", recipe.get("reviewed") or "not asked for"),
                ("required of texts", ", ".join(recipe.get("require") or ()) or "nothing"),
                ("seed", recipe["seed"]),
                ("difficulty and samples of", sampled[0][0] if sampled else "nothing: not sampled yet"),
            ]
        ),
        "## Tables\n\n"
        + _table([(f"`{name}`", f"{rows[name]:,} rows, {_TABLES[name]}") for name in written])
        + (f"\n\nWithout rows, so left out: {', '.join(empty)}." if empty else ""),
        f"## Counts\n\n{shown['pairs']:,} pairs over {shown['queries']:,} queries.\n\n"
        + _table(
            [
                (name, ", ".join(f"{k}: {v:,}" for k, v in shown[name].items()))
                for name in ("tiers", "kinds", "bands")
            ]
        ),
        "## Sources and licences\n\n"
        + _table(
            [
                (
                    name,
                    f"{n:,} pairs. {LICENCES.get(name, 'Licence not known to Tierwise: ask who supplied it')}.",
                )
                for name, n in sources
            ]
        ),
        "## Known limits\n\n"
        "- Tiers: 4 Excellent, 3 Related, 2 Mismatch, 1 Irrelevant. Pairs whose judgments conflict are not in it.\n"
        f"{_leak_checks(recipe)}\n"
        f"{_read_by_people(connection, split, recipe.get('reviewed'))}\n"
        "- Prompts cut long descriptions as their template says; the table `pairs` holds them whole.",
    ]
    return head + "\n" + "\n\n".join(sections) + "\n"


def _read_by_people(connection: duckdb.DuckDBPyConnection, split: str, reviewed: str | None) -> str:
    taught, written, blind, conditioned, by_teachers = connection.execute(
        """
        WITH taught AS (
            SELECT sample_id, rationale_id FROM split_completions WHERE split = $split
            UNION SELECT chosen_sample_id, chosen_rationale_id FROM split_preferences WHERE split = $split
        )
        SELECT count(*), count(*) FILTER (a.source = 'review'), count(*) FILTER (a.gold = 'blind'),
            count(*) FILTER (a.gold = 'conditioned'),
            count(*) FILTER (s.configuration_id <> (SELECT configuration_id FROM splits WHERE split = $split))
        FROM taught t LEFT JOIN samples s ON s.sample_id = t.sample_id
        LEFT JOIN rationales a ON a.rationale_id = t.rationale_id
        """,
        {"split": split},
    ).fetchall()[0]
    teachers = f", {by_teachers:,} are texts of other models (teachers)" if by_teachers else ""
    for count, told in ((blind, "were not told"), (conditioned, "were told")):
        if count:
            teachers += f", {count:,} are rationales of teachers who {told} the gold tier"
    others = (
        "the others are texts of the model above that people read and accepted"
        if reviewed
        else "the others are texts of the model above, graded by the tier they state; people may have read none of them"
    )
    return (
        f"- {written:,} of {taught:,} completions and chosen sides are corrections that people wrote{teachers}; "
        f"{others}."
    )


def _leak_checks(recipe: dict[str, Any]) -> str:
    checked = (
        "- No query here, and no wording of its intent, stands in a split of another role of the same store"
    )
    elsewhere = "Other stores were not looked at."
    if "near_copies" not in recipe:
        return f"{checked}. Near-copies were not looked for. {elsewhere}"
    near = recipe["near_copies"]
    return (
        f"{checked}, and no near-copy of a pair does: query and title (and description, where both have one) alike "
        f"by a Jaccard similarity of at least {near['query']} and {near['title']} (and {near['description']}) over "
        f"letter n-grams; {near['dropped']:,} were left out. What says the same in other words is not found. "
        f"{elsewhere}"
    )


def _table(rows: list[tuple[str, Any]]) -> str:
    lines = ["| {} | {} |".format(name, str(value).replace("|", "\\|")) for name, value in rows]
    return "\n".join(["| | |", "|---|---|", *lines])
