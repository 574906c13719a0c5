"""Difficulty of pairs for each sampling configuration, from graded samples.

The posterior of a pair's solve rate is Beta(c + 1/2, n − c + 1/2): Jeffreys' prior, which keeps c = 0 and
c = n away from certainty and, unlike a uniform prior, does not pull a pair drawn eight times towards 1/2 by a
fifth of the evidence. Bands go by c/n; see the macro ``difficulty_band``.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from curation.grades import CURRENT_GRADES
from curation.grading import GRADER_VERSION
from warehouse.ids import content_id, sql_content_id
from warehouse.ledger import Run
from warehouse.parts import replace_rows

if TYPE_CHECKING:
    import duckdb

    from warehouse.store import Store

PRIOR = 0.5
BANDS = ("solved", "easy", "medium", "hard", "unsolved")


def band(n: int, c: int) -> str:
    """Difficulty band of `c` correct samples of `n`, as the macro ``difficulty_band`` gives it."""
    if c in (0, n):
        return "solved" if c else "unsolved"
    return "easy" if c / n >= 3 / 4 else "medium" if c / n >= 3 / 8 else "hard"


def posterior(n: int, c: int) -> dict[str, float]:
    """Beta posterior of the solve rate after `c` of `n` samples were correct, by the names of its columns."""
    from scipy.stats import beta

    a, b = c + PRIOR, n - c + PRIOR
    return {
        "posterior_alpha": a,
        "posterior_beta": b,
        "solve_rate": a / (a + b),
        "solve_rate_low": float(beta.ppf(0.025, a, b)),
        "solve_rate_high": float(beta.ppf(0.975, a, b)),
    }


def difficulty_at_step(
    pair_id: str,
    configuration_id: uuid.UUID,
    *,
    run_id: uuid.UUID,
    step: int,
    n: int,
    c: int,
    unparsable: int,
    gold_tier: int,
) -> dict[str, Any]:
    """Row of ``difficulty`` for a group that a trainer sampled.

    Args:
        pair_id: Pair, in hex.
        configuration_id: The model that training started from, with how the group was sampled.
        run_id: Run that has moved the model since.
        step: Optimizer steps that it had taken.
        n: Samples in the group.
        c: Correct ones.
        unparsable: Those without a tier.
        gold_tier: Tier that they were graded against.
    """
    pair = uuid.UUID(pair_id)
    return {
        "difficulty_id": str(content_id("difficulty", pair, configuration_id, step, run_id)),
        "pair_id": str(pair),
        "configuration_id": str(configuration_id),
        "step": step,
        "n": n,
        "c": c,
        "unparsable": unparsable,
        "pass_1": c / n,
        "pass_n": float(c > 0),
        **posterior(n, c),
        "band": band(n, c),
        "gold_tier": gold_tier,
        "grader_version": GRADER_VERSION,
        "run_id": str(run_id),
    }


def update_difficulty(store: Store) -> dict[str, Any]:
    """Bring the offline difficulty of every configuration up to date with the grades; return the counts."""
    run = Run("difficulty", {"prior": PRIOR, "grader_version": GRADER_VERSION})
    with store.write(run) as connection:
        connection.execute(
            f"""
            CREATE TEMP TABLE solved AS
            SELECT pair_id, configuration_id, CAST(count(*) AS INTEGER) AS n,
                CAST(count(*) FILTER (correct) AS INTEGER) AS c,
                CAST(count(*) FILTER (outcome = 'unparsable') AS INTEGER) AS unparsable,
                any_value(gold_tier) AS gold_tier
            FROM ({CURRENT_GRADES}) JOIN prompts t USING (prompt_id)
            -- Who was told the tier, or asked until it was right, says nothing of how hard a pair is.
            WHERE coalesce(t.purpose, 'judgments') = 'judgments' GROUP BY pair_id, configuration_id
            """
        )
        _save_posteriors(connection)
        connection.execute(
            f"""
            CREATE TEMP TABLE measured AS
            SELECT {sql_content_id("difficulty", "pair_id", "configuration_id", "NULL")} AS difficulty_id,
                solved.*, NULL::INTEGER AS step, coalesce(d.pass_at_k[1], c / n) AS pass_1,
                pass_at_k(n, c, n) AS pass_n, coalesce(d.band, difficulty_band(n, c)) AS band,
                '{GRADER_VERSION}' AS grader_version, $run::UUID AS run_id, p.* EXCLUDE (n, c)
            FROM solved JOIN posteriors p USING (n, c)
            -- Where a design has stopped, its band is that which all N samples would most probably give. Once all of
            -- them were drawn of every pair it has no say any more.
            LEFT JOIN (
                SELECT DISTINCT ON (configuration_id) configuration_id, design_id
                FROM designs d JOIN (
                    SELECT configuration_id, min(n) AS fewest FROM solved GROUP BY configuration_id
                ) USING (configuration_id)
                WHERE fewest < d.n ORDER BY configuration_id, created_at DESC, design_id
            ) USING (configuration_id)
            LEFT JOIN (SELECT * FROM design_states WHERE more = 0) d USING (design_id, n, c)
            """,
            {"run": run.run_id},
        )
        changes = replace_rows(
            connection,
            "difficulty",
            "measured",
            compared=("n", "c", "unparsable", "pass_1", "band", "gold_tier", "grader_version"),
            among="step IS NULL",
        )
        newest = connection.execute(
            "SELECT CAST(configuration_id AS VARCHAR), count(*), avg(pass_1), avg(pass_n), max(n) FROM difficulty "
            "WHERE step IS NULL AND configuration_id = (SELECT configuration_id FROM newest_configuration) GROUP BY 1"
        ).fetchone()
        bands = dict(
            connection.execute(
                "SELECT band, count(*) FROM pair_overview WHERE band IS NOT NULL GROUP BY band"
            ).fetchall()
        )
        run.summary = {**changes}
        if newest:
            run.summary |= {
                "configuration": newest[0],
                "pairs": newest[1],
                "pass@1": newest[2],
                f"pass@{newest[4]}": newest[3],
                "bands": {band: bands.get(band, 0) for band in BANDS},
            }
    return run.summary


def _save_posteriors(connection: duckdb.DuckDBPyConnection) -> None:
    """The table ``posteriors``, one row for each (n, c) that occurs: few, however many pairs."""
    counts = connection.execute("SELECT DISTINCT n, c FROM solved").fetchall()
    rows = [(n, c, *posterior(n, c).values()) for n, c in counts]
    connection.execute(
        "CREATE TEMP TABLE posteriors (n INTEGER, c INTEGER, posterior_alpha DOUBLE, posterior_beta DOUBLE, "
        "solve_rate DOUBLE, solve_rate_low DOUBLE, solve_rate_high DOUBLE)"
    )
    if rows:
        connection.executemany("INSERT INTO posteriors VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
