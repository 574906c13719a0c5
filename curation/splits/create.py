"""Freezing a split."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from curation.configurations import pick_configuration
from curation.grades import grade_samples
from curation.prompts import (
    DEFAULT_TEMPLATE,
    load_judging_template,
    parse_template,
    prompt_row,
    rendered_prompt_row,
)
from curation.rationales.taught import taught_rationales
from curation.selection import selected_pairs
from curation.splits.completions import completions
from curation.splits.content import COMPLETIONS, FROZEN_TABLES, MEMBERS, PREFERENCES, content_hash
from curation.splits.draw import draw_needs
from curation.splits.leaks import NEAR_COPY, NEED, refuse_shared_needs, settle_near_copies
from curation.teachable import Demands
from warehouse.errors import TierwiseError
from warehouse.ledger import Run, utc_now
from warehouse.parts import insert_rows
from warehouse.transactions import Rollback

if TYPE_CHECKING:
    import duckdb

    from curation.checks.finding import Requirement
    from curation.prompts import Template
    from curation.teachable import Reviewed
    from warehouse.store import Store

Role = Literal["train", "calibration", "eval"]

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the members of a split are chosen.

    Attributes:
        name: Name, to which the version is added.
        where: SQL condition over ``pair_overview``; None takes every pair with a tier.
        size: Pairs wanted. Queries and intents stay whole, so it is met from below. None takes all.
        role: What the split is for. Splits of different roles never share a query or an intent.
        seed: Which queries, where `size` leaves a choice.
        drop_near_copies: Leave out near-copies of what splits of other roles hold, after the size is met, instead
            of refusing them.
        reviewed: ``accepted`` takes only pairs with a text that people accepted or wrote, and only such texts as
            completions and chosen sides.
        require: Kinds of findings that no completion or chosen side may have, by the names of what it then is.
        rationales: Complete with rationales alone: of the teacher of this name, or ``any``.
        prompt: Template of the prompts; None takes that of the configuration, else answer-first.
    """

    name: str
    where: str | None = None
    size: int | None = None
    role: Role = "train"
    seed: int = 0
    drop_near_copies: bool = False
    reviewed: Reviewed | None = None
    rationales: str | None = None
    prompt: str | None = None
    require: tuple[Requirement, ...] = ()

    @property
    def demands(self) -> Demands:
        """What is asked of completions and chosen sides."""
        return Demands(self.reviewed, self.require)


def create_split(store: Store, recipe: Recipe, configuration: str | None = None) -> dict[str, Any]:
    """Freeze the pairs of `recipe` as the next version of its name; return what it holds.

    If the newest version holds exactly the same, that one is returned and nothing is written.

    Raises:
        TierwiseError: A bad name, a bad or empty selection, a query (or its intent, or an item text for an equal
            query text) that a split of another role holds, or near-copies of its pairs.
    """
    if not _NAME.fullmatch(recipe.name) or re.search(r"_v\d+$", recipe.name):
        raise TierwiseError(
            f"split name {recipe.name!r}: use small letters, digits, - and _; the version is added for you"
        )
    grade_samples(store)
    run = Run("split", dataclasses.asdict(recipe))
    state = "frozen"
    with store.write(run) as connection:
        picked = _configuration_or_none(connection, configuration)
        _select(connection, recipe, picked)
        prompt_id = _render_missing(connection, run, _template(connection, run, recipe.prompt, picked))
        _stage_members(connection, picked, prompt_id)
        refuse_shared_needs(connection, recipe.role)
        dropped = settle_near_copies(connection, recipe.role, drop=recipe.drop_near_copies)
        _stage_completions(connection, picked, recipe)
        _stage_preferences(connection, picked, recipe.demands)
        frozen = content_hash(
            connection, " UNION ALL ".join(f"SELECT row_hash FROM new_{t.name}" for t in FROZEN_TABLES)
        )
        versions = connection.execute(
            "SELECT version, content_hash, role FROM splits WHERE name = ? ORDER BY version DESC",
            [recipe.name],
        ).fetchall()
        if versions and versions[0][1:] == (frozen, recipe.role):
            run.summary = {"split": f"{recipe.name}_v{versions[0][0]}", "near_copies_dropped": dropped}
            state = "already frozen, nothing changed since"
            raise Rollback
        split = f"{recipe.name}_v{versions[0][0] + 1 if versions else 1}"
        connection.execute(
            "INSERT INTO splits BY NAME SELECT $split AS split, $name AS name, $version::INTEGER AS version, "
            "$role AS role, $recipe::JSON AS recipe, $configuration::UUID AS configuration_id, "
            "$hash AS content_hash, $now::TIMESTAMP AS created_at, $run::UUID AS run_id",
            {
                "split": split,
                "name": recipe.name,
                "version": versions[0][0] + 1 if versions else 1,
                "role": recipe.role,
                "recipe": json.dumps(_kept(recipe, dropped), ensure_ascii=False),
                "configuration": picked,
                "hash": frozen,
                "now": utc_now(),
                "run": run.run_id,
            },
        )
        for table in FROZEN_TABLES:
            connection.execute(
                f"INSERT INTO {table.name} BY NAME SELECT ? AS split, * FROM new_{table.name}", [split]
            )
        run.summary = {"split": split, "content_hash": frozen, "near_copies_dropped": dropped}
    return {**run.summary, "state": state}


def _kept(recipe: Recipe, dropped: int) -> dict[str, Any]:
    """What the split keeps of its recipe, with what counted as near-copies and how many it dropped."""
    kept = dataclasses.asdict(recipe)
    del kept["name"]
    return {**kept, "near_copies": {**NEAR_COPY, "dropped": dropped}}


def _select(connection: duckdb.DuckDBPyConnection, recipe: Recipe, configuration: str | None) -> None:
    found = selected_pairs(connection, recipe.where, configuration=configuration)
    if not found:
        raise TierwiseError(
            f"no pair with a tier matches {recipe.where or 'true'!r}; bands come from `python -m curation difficulty`"
        )
    if recipe.reviewed:
        found -= _leave_out_unreviewed(connection, configuration, recipe)
        if not found:
            raise TierwiseError(
                "--reviewed accepted: no pair here has a text that people accepted or corrected; `python -m annotation "
                "pull` and `decide` bring what they said"
            )
    if recipe.size is None:
        return
    counts = connection.execute(
        f"SELECT {NEED} AS need, p.tier, q.kind, count(*) FROM pairs p JOIN queries q USING (query_id) "
        "SEMI JOIN selected USING (pair_id) GROUP BY ALL"
    ).fetchall()
    chosen = draw_needs(((need, (tier, kind), n) for need, tier, kind, n in counts), recipe.size, recipe.seed)
    if not chosen:
        raise TierwiseError(
            f"--size {recipe.size}: queries stay whole, and every query here has more pairs than that"
        )
    connection.execute(
        "DELETE FROM selected WHERE pair_id NOT IN (SELECT pair_id FROM pairs JOIN queries q USING (query_id) "
        f"WHERE {NEED} IN (SELECT unnest($needs)))",
        {"needs": sorted(chosen)},
    )


def _leave_out_unreviewed(
    connection: duckdb.DuckDBPyConnection, configuration: str | None, recipe: Recipe
) -> int:
    """Take pairs without a correction or an accepted sample (a teacher's too) out of ``selected``; return how many."""
    return int(
        connection.execute(
            "DELETE FROM selected WHERE pair_id NOT IN "
            f"(SELECT pair_id FROM ({completions(recipe.demands, recipe.rationales)})) "
            "AND pair_id NOT IN (SELECT f.pair_id FROM preferences f "
            "JOIN review_outcomes o ON o.sample_id = f.chosen_sample_id "
            "WHERE f.configuration_id = $configuration::UUID AND o.outcome = 'accepted')",
            {"configuration": configuration},
        ).fetchall()[0][0]
    )


def _configuration_or_none(connection: duckdb.DuckDBPyConnection, asked: str | None) -> str | None:
    """Id of the configuration asked for, else of the newest finished one; None where nothing was sampled yet."""
    if asked is None and not connection.execute("FROM newest_configuration").fetchall():
        return None
    return pick_configuration(connection, asked).configuration_id


def _template(
    connection: duckdb.DuckDBPyConnection, run: Run, asked: str | None, configuration: str | None
) -> Template:
    """The template asked for, else that of the configuration, else the registry's answer-first."""
    if asked is None and configuration is not None:
        name, text = connection.execute(
            "SELECT name, text FROM prompts SEMI JOIN "
            "(SELECT prompt_id FROM configurations WHERE configuration_id = ?) USING (prompt_id)",
            [configuration],
        ).fetchall()[0]
        return parse_template(name, text)
    template = load_judging_template(asked or DEFAULT_TEMPLATE)
    insert_rows(connection, "prompts", [prompt_row(template, str(run.run_id))])
    return template


def _render_missing(connection: duckdb.DuckDBPyConnection, run: Run, template: Template) -> str:
    """Render the prompt for selected pairs that never had it; return its id."""
    prompt_id = str(template.prompt_id)
    missing = connection.execute(
        "SELECT CAST(p.pair_id AS VARCHAR), CAST(p.item_version_id AS VARCHAR), q.text, v.title, v.description, "
        "v.brand, json_extract_string(v.attributes, '$.price') FROM pairs p SEMI JOIN selected USING (pair_id) "
        "JOIN queries q USING (query_id) JOIN item_versions v ON v.item_version_id = p.item_version_id "
        "ANTI JOIN (SELECT pair_id, item_version_id FROM rendered_prompts WHERE prompt_id = $prompt::UUID) r "
        "ON r.pair_id = p.pair_id AND r.item_version_id = p.item_version_id",
        {"prompt": prompt_id},
    ).fetchall()
    rendered = []
    for pair_id, version, query, title, description, brand, price in missing:
        messages = template.render(query, title, description=description, brand=brand, price=price)
        rendered.append(rendered_prompt_row(messages, pair_id, version, template.prompt_id, str(run.run_id)))
    insert_rows(connection, "rendered_prompts", rendered)
    return prompt_id


def _stage_members(connection: duckdb.DuckDBPyConnection, configuration: str | None, prompt_id: str) -> None:
    connection.execute(
        f"""
        CREATE TEMP TABLE new_split_members AS
        WITH m AS (
            SELECT p.pair_id, p.query_id, p.item_version_id, p.tier, q.kind, p.confidence, p.weight, p.judgment_id,
                d.n, d.c, d.band, any_value(r.prompt_hash) AS prompt_hash
            FROM pairs p SEMI JOIN selected USING (pair_id) JOIN queries q USING (query_id)
            JOIN rendered_prompts r ON r.pair_id = p.pair_id AND r.item_version_id = p.item_version_id
                AND r.prompt_id = $prompt::UUID
            -- What was counted against another gold tier is no difficulty of this one.
            LEFT JOIN (SELECT * FROM difficulty WHERE step IS NULL AND configuration_id = $configuration::UUID) d
                ON d.pair_id = p.pair_id AND d.gold_tier = p.tier
            GROUP BY ALL
        )
        SELECT m.*, {MEMBERS.row_hash} AS row_hash FROM m {MEMBERS.source}
        """,
        {"configuration": configuration, "prompt": prompt_id},
    )


def _stage_completions(
    connection: duckdb.DuckDBPyConnection, configuration: str | None, recipe: Recipe
) -> None:
    # One completion a pair, so that easy pairs do not outweigh hard ones.
    connection.execute(
        f"""
        CREATE TEMP TABLE new_split_completions AS
        WITH m AS (
            SELECT c.pair_id, c.prompt_hash, c.sample_id, c.rationale_id
            FROM ({completions(recipe.demands, recipe.rationales)}) c
            JOIN new_split_members n ON n.pair_id = c.pair_id AND n.prompt_hash = c.prompt_hash
            QUALIFY row_number() OVER (PARTITION BY c.pair_id ORDER BY c.place) = 1
        )
        SELECT m.*, {COMPLETIONS.row_hash} AS row_hash FROM m {COMPLETIONS.source}
        """,
        {"configuration": configuration},
    )
    if recipe.rationales and not connection.execute("FROM new_split_completions LIMIT 1").fetchall():
        teachers = connection.execute(
            "SELECT coalesce(string_agg(DISTINCT written_by, ', ' ORDER BY written_by), 'nobody') "
            "FROM rationales WHERE source = 'teacher'"
        ).fetchall()[0][0]
        raise TierwiseError(
            f"--rationales {recipe.rationales}: none leads to the gold tier of a pair here; there are rationales by "
            f"{teachers}"
        )


def _stage_preferences(
    connection: duckdb.DuckDBPyConnection, configuration: str | None, demands: Demands
) -> None:
    # Preferences may be older than what people said since.
    connection.execute(
        f"""
        CREATE TEMP TABLE new_split_preferences AS
        WITH m AS (
            SELECT f.preference_id, f.pair_id, f.prompt_hash, f.chosen_sample_id, f.rejected_sample_id,
                f.chosen_rationale_id
            FROM preferences f JOIN new_split_members n ON n.pair_id = f.pair_id AND n.prompt_hash = f.prompt_hash
            LEFT JOIN review_outcomes o ON o.sample_id = f.chosen_sample_id
            WHERE f.configuration_id = $configuration::UUID AND CASE WHEN f.chosen_rationale_id IS NULL
                THEN {demands.sql_teachable("o.outcome", "f.chosen_sample_id")}
                ELSE f.chosen_rationale_id IN (SELECT rationale_id FROM ({demands.sql_corrections()})
                    UNION SELECT rationale_id FROM ({taught_rationales(demands)})) END
        )
        SELECT m.*, {PREFERENCES.row_hash} AS row_hash FROM m {PREFERENCES.source}
        """,
        {"configuration": configuration},
    )
