"""Difficulty of pairs for each sampling configuration, from graded samples.

The posterior of a pair's solve rate is Beta(c + 1/2, n − c + 1/2): Jeffreys' prior, which keeps c = 0 and
c = n away from certainty and, unlike a uniform prior, does not pull a pair drawn eight times towards 1/2 by a
fifth of the evidence. Bands go by c/n; see the macro ``difficulty_band``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curation.grades import CURRENT_GRADES
from curation.grading import GRADER_VERSION
from warehouse.ids import sql_content_id
from warehouse.ledger import Run
from warehouse.parts import replace_rows

if TYPE_CHECKING:
    import duckdb

    from warehouse.store import Store

PRIOR = 0.5
BANDS = ("solved", "easy", "medium", "hard", "unsolved")


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
            FROM ({CURRENT_GRADES}) GROUP BY pair_id, configuration_id
            """
        )
        _save_posteriors(connection)
        connection.execute(
            f"""
            CREATE TEMP TABLE measured AS
            SELECT {sql_content_id("difficulty", "pair_id", "configuration_id", "NULL")} AS difficulty_id,
                solved.*, NULL::INTEGER AS step, c / n AS pass_1, pass_at_k(n, c, n) AS pass_n,
                difficulty_band(n, c) AS band, '{GRADER_VERSION}' AS grader_version, $run::UUID AS run_id,
                p.* EXCLUDE (n, c)
            FROM solved JOIN posteriors p USING (n, c)
            """,
            {"run": run.run_id},
        )
        changes = replace_rows(
            connection,
            "difficulty",
            "measured",
            compared=("n", "c", "unparsable", "gold_tier", "grader_version"),
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
    from scipy.stats import beta

    counts = connection.execute("SELECT DISTINCT n, c FROM solved").fetchall()
    rows = []
    for n, c in counts:
        a, b = c + PRIOR, n - c + PRIOR
        rows.append((n, c, a, b, a / (a + b), float(beta.ppf(0.025, a, b)), float(beta.ppf(0.975, a, b))))
    connection.execute(
        "CREATE TEMP TABLE posteriors (n INTEGER, c INTEGER, posterior_alpha DOUBLE, posterior_beta DOUBLE, "
        "solve_rate DOUBLE, solve_rate_low DOUBLE, solve_rate_high DOUBLE)"
    )
    if rows:
        connection.executemany("INSERT INTO posteriors VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
