"""DPO preferences: two answers to the same rendered prompt, a correct sample over a wrong one.

Each default is a choice that a practitioner would make:

- Chosen is correct, finished, and does not contradict itself. Trainers append an end-of-sequence token, so a
  text that was cut would teach to stop in mid-sentence.
- Rejected states a wrong tier. Unparsable texts are left out: they teach a format, which SFT does better.
- At most 2 for a prompt: a pair of medium difficulty would else give dozens and drown the rest.
- The hardest negatives first: the wrong tier that the model itself finds most probable (or the nearest tier).
- Sides matched by length: to each rejected text the chosen one nearest in tokens, never beyond a ratio of 2,
  so that length does not become the signal.
- No two equal texts: among equal samples the first counts.
- What people said comes before what is counted (`curation.teachable`): no sample is chosen that they rejected, and each
  correction of theirs is chosen over what it corrects, whatever their lengths, beside the 2.

A teacher, where one is named, answers the prompts that no sample solved, those without one to choose: the oracle
correction of TaoSR1 (arXiv 2508.12365). Its shortest sample of the same pair that may be chosen by the rules above,
about the same text of the item, is chosen over the model's own wrong samples, under the model's own prompt. Of a
teacher of rationales it is the shortest rationale that leads to gold, in the form that the prompt asks for. Each side's
length is in the tokens of the model that wrote it. A prompt with a correction gets no teacher: a person answered it.
"""

from __future__ import annotations

import dataclasses
import shlex
from typing import TYPE_CHECKING, Any, Literal

from curation.configurations import pick_configuration
from curation.grades import CURRENT_GRADES
from curation.rationales.taught import taught_rationales
from curation.teachable import ANYTHING, Demands
from warehouse.errors import TierwiseError
from warehouse.ids import sql_content_id
from warehouse.ledger import Run
from warehouse.parts import insert_new

if TYPE_CHECKING:
    import duckdb

    from curation.configurations import ConfigurationInStore
    from warehouse.store import Store

HardestBy = Literal["confidence", "distance"]

# The least comes first. No probability is below 0, so that an unknown one comes last.
_HARDNESS = {
    "confidence": "struct_pack(confidence := coalesce(-r.confidence, 1.0), distance := r.distance)",
    "distance": "struct_pack(distance := r.distance, confidence := coalesce(-r.confidence, 1.0))",
}


def update_preferences(
    store: Store,
    *,
    configuration: str | None = None,
    teacher: str | None = None,
    per_prompt: int = 2,
    hardest_by: HardestBy = "confidence",
    max_length_ratio: float = 2.0,
    balanced: bool = False,
    demands: Demands = ANYTHING,
) -> dict[str, Any]:
    """Make the preferences of a configuration anew from today's grades; return the counts.

    Those that still follow stay as they are; those that no longer do are withdrawn. Frozen splits keep theirs.

    Args:
        store: The store.
        configuration: Id or its beginning; the newest finished one if not given.
        teacher: Id, or its beginning, of the configuration that answers prompts which no sample solved.
        per_prompt: At most so many for a prompt.
        hardest_by: Which wrong samples come first.
        max_length_ratio: Longer over shorter side, in generated tokens, at most.
        balanced: Whether to keep only as many preferences of one tier over another as of the other over the one. What
            is taught beyond that is how often to say a tier, whatever is asked. Corrections stay.
        demands: What is asked of a chosen side beside its tier.

    Raises:
        TierwiseError: No such configuration, or the teacher is the configuration itself or answers in another format.
    """
    parameters = {
        "teacher": teacher,
        "per_prompt": per_prompt,
        "hardest_by": hardest_by,
        "max_length_ratio": max_length_ratio,
        "balanced": balanced,
        **dataclasses.asdict(demands),
    }
    run = Run("pairs", parameters)
    with store.read() as connection:
        picked = pick_configuration(connection, configuration)
        picked_teacher = None if teacher is None else _pick_teacher(connection, teacher, picked)
    with store.write(run) as connection:
        _gather(connection, picked.configuration_id, demands)
        _correct(connection, picked.configuration_id, demands)
        if picked_teacher:
            _teach(connection, picked_teacher, demands)
        _match(connection, picked.configuration_id, per_prompt, _HARDNESS[hardest_by], max_length_ratio)
        _balance(connection, balanced=balanced)
        withdrawn = connection.execute(
            "DELETE FROM preferences WHERE configuration_id = $configuration::UUID "
            "AND preference_id NOT IN (SELECT preference_id FROM matched) "
            "AND preference_id NOT IN (SELECT preference_id FROM corrected)",
            {"configuration": picked.configuration_id},
        ).fetchall()[0][0]
        # Texts join last: all ranking above moves ids and numbers only.
        added = insert_new(
            connection,
            "preferences",
            "SELECT matched.*, coalesce(c.text, completion_text(t.format, w.tier, w.text)) AS chosen, "
            "r.text AS rejected, $run::UUID AS run_id FROM matched JOIN prompts t USING (prompt_id) "
            "LEFT JOIN samples c ON c.sample_id = chosen_sample_id "
            "LEFT JOIN rationales w ON w.rationale_id = chosen_rationale_id "
            "JOIN samples r ON r.sample_id = rejected_sample_id",
            {"run": run.run_id},
        )
        added += insert_new(
            connection,
            "preferences",
            "SELECT *, $run::UUID AS run_id FROM corrected",
            {"run": run.run_id},
        )
        run.summary = {
            "configuration": picked.text,
            **({"teacher": picked_teacher.text} if picked_teacher else {}),
            **_counts(connection, demands),
            "new": added,
            "withdrawn": withdrawn,
        }
    return run.summary


def _pick_teacher(
    connection: duckdb.DuckDBPyConnection, prefix: str, student: ConfigurationInStore
) -> ConfigurationInStore:
    teacher = pick_configuration(connection, prefix, teachers=True)
    if teacher.configuration_id == student.configuration_id:
        raise TierwiseError(
            f"--teacher {prefix} is the configuration to be taught itself; name that one with `--configuration`, its "
            'teacher with `--teacher` (`python -m warehouse sql "FROM configurations"`)'
        )
    if teacher.purpose == "judgments" and teacher.format != student.format:
        model, prompt = connection.execute(
            "SELECT (SELECT name FROM models JOIN configurations USING (model_id) WHERE configuration_id = $teacher), "
            "(SELECT name FROM prompts JOIN configurations USING (prompt_id) WHERE configuration_id = $student)",
            {"teacher": teacher.configuration_id, "student": student.configuration_id},
        ).fetchall()[0]
        raise TierwiseError(
            f"--teacher {prefix} answers {teacher.format} where the prompts to be taught ask for {student.format}; run "
            f"`python -m curation sample --n 8 --model {shlex.quote(model)} --prompt {prompt}` and name what it "
            "prints as configuration"
        )
    return teacher


def _sql_gathered(demands: Demands, pairs: str = "true") -> str:
    """Query for the prompts of $configuration: a row for each, with its choosable and its rejectable samples as lists.

    A prompt has few samples, however many prompts there are. Lists in its row take less memory than joins and
    windows over all samples, and need no sorting. The least sample is the shortest, then the first.
    """
    return f"""
        WITH gathered AS (
            SELECT pair_id, prompt_hash, any_value(prompt_id) AS prompt_id, any_value(gold_tier) AS gold_tier,
                list(struct_pack(
                    tokens := completion_tokens, index := sample_index, text := text_hash, id := sample_id,
                    tier := tier, distance := distance, confidence := tier_probs[tier],
                    choosable := correct AND finish_reason = 'stop'
                        AND (consistent IS DISTINCT FROM false OR review = 'accepted') AND teachable,
                    rejectable := outcome = 'wrong')) AS samples
            FROM (
                SELECT g.*, o.outcome AS review, {demands.sql_teachable("o.outcome", "g.sample_id")} AS teachable
                FROM ({CURRENT_GRADES}) g
                LEFT JOIN (SELECT sample_id, outcome FROM review_outcomes) o ON o.sample_id = g.sample_id
                WHERE configuration_id = $configuration::UUID AND {pairs}
            ) GROUP BY pair_id, prompt_hash
        ), different AS (
            SELECT * REPLACE (list_filter(samples, lambda s: len(list_filter(
                samples, lambda t: t.text = s.text AND t.index < s.index)) = 0) AS samples) FROM gathered
        )
        SELECT * EXCLUDE (samples), list_filter(samples, lambda s: s.choosable) AS choosable,
            list_filter(samples, lambda s: s.rejectable) AS rejectable
        FROM different
    """


def _gather(connection: duckdb.DuckDBPyConnection, configuration: str, demands: Demands) -> None:
    """Make ``gathered_prompts``, which the teacher has not touched yet."""
    connection.execute(
        "CREATE TEMP TABLE gathered_prompts AS SELECT *, false AS from_teacher, false AS by_rationale "
        f"FROM ({_sql_gathered(demands)})",
        {"configuration": configuration},
    )


def _teach(connection: duckdb.DuckDBPyConnection, teacher: ConfigurationInStore, demands: Demands) -> None:
    """Make the teacher's sample or rationale the choosable one of each prompt that has none, and no correction."""
    # Samples that are graded now are about the text that was judged, the student's and the teacher's alike.
    unsolved = "pair_id IN (SELECT pair_id FROM gathered_prompts WHERE len(choosable) = 0)"
    by_rationale = teacher.purpose != "judgments"
    if by_rationale:
        # A rationale that cost no tokens has about a quarter as many as characters.
        shortest = f"""
            SELECT pair_id, min(struct_pack(
                tokens := coalesce(tokens, greatest(length(text) // 4, 1)), index := 0, text := 0, id := rationale_id,
                tier := tier, distance := 0, confidence := NULL, choosable := true, rejectable := false)) AS shortest
            FROM ({taught_rationales(demands)}) WHERE configuration_id = $configuration::UUID AND {unsolved}
            GROUP BY pair_id"""
    else:
        shortest = f"""
            SELECT pair_id, min(list_min(choosable)) AS shortest FROM ({_sql_gathered(demands, unsolved)})
            WHERE len(choosable) > 0 GROUP BY pair_id"""
    connection.execute(
        f"""
        UPDATE gathered_prompts p SET choosable = [taught.shortest], from_teacher = true, by_rationale = {by_rationale}
        FROM ({shortest}) taught
        WHERE p.pair_id = taught.pair_id AND len(p.choosable) = 0 AND NOT EXISTS (
            SELECT 1 FROM corrected c WHERE c.pair_id = p.pair_id AND c.prompt_hash = p.prompt_hash)
        """,
        {"configuration": teacher.configuration_id},
    )


def _match(
    connection: duckdb.DuckDBPyConnection,
    configuration: str,
    per_prompt: int,
    hardness: str,
    max_length_ratio: float,
) -> None:
    """Make ``matched``: the preferences, without texts."""
    connection.execute(
        f"""
        CREATE TEMP TABLE matched AS
        WITH nearest AS (
            SELECT * EXCLUDE (choosable, rejectable), list_transform(rejectable, lambda r: struct_pack(
                hardness := {hardness}, id := r.id, tier := r.tier, distance := r.distance, confidence := r.confidence,
                chosen := list_min(list_transform(choosable, lambda c: struct_pack(
                    ratio := greatest(c.tokens, r.tokens) / least(c.tokens, r.tokens), id := c.id))))) AS rejected
            FROM gathered_prompts WHERE len(choosable) > 0 AND len(rejectable) > 0
        ), best AS (
            SELECT * REPLACE (unnest(list_slice(list_sort(list_filter(
                rejected, lambda r: r.chosen.ratio <= $max_length_ratio)), 1, $per_prompt)) AS rejected)
            FROM nearest
        )
        SELECT {sql_content_id("preference", "rejected.chosen.id", "rejected.id")} AS preference_id, pair_id,
            $configuration::UUID AS configuration_id, prompt_id, prompt_hash,
            CASE WHEN NOT by_rationale THEN rejected.chosen.id END AS chosen_sample_id,
            CASE WHEN by_rationale THEN rejected.chosen.id END AS chosen_rationale_id,
            rejected.id AS rejected_sample_id, gold_tier, rejected.tier AS rejected_tier,
            rejected.distance AS tier_distance, rejected.confidence AS rejected_confidence,
            rejected.chosen.ratio AS length_ratio
        FROM best
        """,
        {"configuration": configuration, "per_prompt": per_prompt, "max_length_ratio": max_length_ratio},
    )


def _balance(connection: duckdb.DuckDBPyConnection, *, balanced: bool) -> None:
    """Move to ``surplus`` what one tier has over another beyond the other over it; ids, being hashes, choose."""
    connection.execute(
        """
        CREATE TEMP TABLE surplus AS
        SELECT preference_id, pair_id, prompt_hash
        FROM (SELECT *, row_number() OVER (PARTITION BY gold_tier, rejected_tier ORDER BY preference_id) AS place
            FROM matched) own
        LEFT JOIN (SELECT gold_tier AS rejected_tier, rejected_tier AS gold_tier, count(*) AS opposed
            FROM matched GROUP BY ALL) other USING (gold_tier, rejected_tier)
        WHERE $balanced AND place > coalesce(opposed, 0)
        """,
        {"balanced": balanced},
    )
    connection.execute("DELETE FROM matched WHERE preference_id IN (SELECT preference_id FROM surplus)")


def _correct(connection: duckdb.DuckDBPyConnection, configuration: str, demands: Demands) -> None:
    """Make ``corrected``: the preferences for corrections, with texts, as there are few."""
    connection.execute(
        f"""
        CREATE TEMP TABLE corrected AS
        SELECT {sql_content_id("preference", "rationale_id", "sample_id")} AS preference_id, pair_id, configuration_id,
            prompt_id, prompt_hash, rationale_id AS chosen_rationale_id, sample_id AS rejected_sample_id,
            text AS chosen, corrected AS rejected, gold_tier, corrected_tier AS rejected_tier,
            abs(corrected_tier - gold_tier) AS tier_distance, tier_probs[corrected_tier] AS rejected_confidence,
            greatest(length(text), length(corrected)) / greatest(least(length(text), length(corrected)), 1)
                AS length_ratio
        FROM ({demands.sql_corrections()}) WHERE configuration_id = $configuration::UUID AND text <> corrected
        """,
        {"configuration": configuration},
    )


def _counts(connection: duckdb.DuckDBPyConnection, demands: Demands) -> dict[str, Any]:
    prompts = connection.execute(
        """
        SELECT count(*), count(m.pair_id),
            count(*) FILTER (len(choosable) = 0), count(*) FILTER (len(choosable) > 0 AND len(rejectable) = 0),
            count(*) FILTER (len(choosable) > 0 AND len(rejectable) > 0 AND m.pair_id IS NULL AND s.pair_id IS NULL),
            count(*) FILTER (m.pair_id IS NULL AND s.pair_id IS NOT NULL),
            coalesce(sum(m.preferences) FILTER (from_teacher), 0)
        FROM gathered_prompts LEFT JOIN (
            SELECT pair_id, prompt_hash, count(*) AS preferences FROM matched GROUP BY pair_id, prompt_hash
        ) m USING (pair_id, prompt_hash)
        LEFT JOIN (SELECT DISTINCT pair_id, prompt_hash FROM surplus) s USING (pair_id, prompt_hash)
        """
    ).fetchall()[0]
    preferences, corrections, surplus = connection.execute(
        "SELECT (SELECT count(*) FROM matched), (SELECT count(*) FROM corrected), (SELECT count(*) FROM surplus)"
    ).fetchall()[0]
    wanted = [*([demands.reviewed] if demands.reviewed else []), *demands.required]
    return {
        "prompts": prompts[0],
        "prompts_with_preferences": prompts[1],
        "prompts_without": {
            f"no finished {', '.join(wanted) or 'correct'} sample": prompts[2],
            "no wrong sample": prompts[3],
            "no match in length": prompts[4],
            **({"none left in balance": prompts[5]} if prompts[5] else {}),
        },
        "preferences": preferences + corrections,
        **({"left_out_for_balance": surplus} if surplus else {}),
        "from_teacher": prompts[6],
        "corrections": corrections,
    }
