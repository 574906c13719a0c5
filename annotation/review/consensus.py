"""What the reviews of a sample come to, and what follows from it.

A sample is decided once as many annotators have submitted as its dataset asks for. Each votes (`votes.Review.vote`):
sound or not. By the rule *majority*, a sample is accepted if more than half find it sound; if fewer do it is corrected
where somebody wrote a correction, else rejected; at a tie it is disputed. By *dawid-skene* (Dawid & Skene 1979, as in
crowd-kit) the votes are weighed by the error rates of the annotators, estimated from all votes together: from a
probability of 3/4 that it is sound it is accepted, up to 1/4 corrected or rejected, between them disputed.

Every annotator's tier is a judgment of theirs. It goes through the resolution rule (`curation.resolution`) with all
others, so gold changes there and nowhere else. Who takes a tier back, by discarding the answer, keeps the judgment with
confidence 0, which has no vote.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from annotation.review.questions import TIERS
from annotation.review.votes import Review, by_sample, majority_tier, submitted
from curation.grading import grade
from curation.resolution import REVIEW, resolve_tiers, sql_standing
from warehouse.ids import content_id, sql_content_id
from warehouse.ledger import Run
from warehouse.parts import arrow_schema, insert_new, insert_rows, replace_rows
from warehouse.schema import TABLE_BY_NAME
from warehouse.transactions import Rollback

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import duckdb

    from warehouse.store import Store

Rule = Literal["majority", "dawid-skene"]

_SURE = 0.75


def decide(store: Store, rule: Rule, *, dry_run: bool = False) -> dict[str, Any]:
    """Write outcomes, judgments and rationales from the submitted answers; return the counts.

    The same again writes nothing. What the answers no longer support is replaced; judgments and rationales stay.

    Raises:
        TierwiseError: No answer was pulled.
    """
    run = Run("decide reviews", {"rule": rule})
    with store.write(run) as connection:
        reviews = submitted(connection)
        samples = by_sample(reviews)
        complete = {sample: of for sample, of in samples.items() if len(of) >= of[0].overlap}
        rationales = {r.review_id: _rationale(r, run) for r in reviews if r.vote == "correct"}
        usable = {review_id: row for review_id, row in rationales.items() if row}
        written = insert_rows(connection, "rationales", list(usable.values()))
        sound = _sound(complete.values(), rule)
        outcomes = [
            _outcome(of, sound[sample], rule, usable) for sample, of in complete.items() if sample in sound
        ]
        changed = _write_outcomes(connection, run, outcomes)
        counts = Counter(row["outcome"] for row in outcomes)
        run.summary = {
            "rule": rule,
            "samples": {name: counts[name] for name in ("accepted", "corrected", "rejected", "disputed")},
            "waiting_for_more_answers": len(samples) - len(complete),
            "nobody_could_tell": len(complete) - len(outcomes),
            "changed": changed,
            "rationales_new": written,
            "corrections_unusable": len(rationales) - len(usable),
            **_write_judgments(connection, run, reviews),
        }
        if dry_run:
            run.summary = {"dry_run": "nothing was written", **run.summary}
            raise Rollback
        if not (any(changed.values()) or written or run.summary["judgments_new"]):
            raise Rollback
    return run.summary


def _sound(samples: Iterable[Sequence[Review]], rule: Rule) -> dict[str, float]:
    """Probability that a sample is sound, for those on which somebody could tell."""
    votes = [(r.sample_id, r.annotator, r.vote == "accept") for of in samples for r in of if r.vote]
    if rule == "majority" or not votes:
        tally: dict[str, list[bool]] = {}
        for sample, _, accepts in votes:
            tally.setdefault(sample, []).append(accepts)
        return {sample: sum(of) / len(of) for sample, of in tally.items()}
    # pandas comes with crowd-kit, so what is missing is told by the latter's name.
    from crowdkit.aggregation import DawidSkene  # isort: skip
    import pandas as pd

    frame = pd.DataFrame(votes, columns=["task", "worker", "label"])
    # crowd-kit uses what pandas 4 will take away.
    with warnings.catch_warnings(action="ignore"):
        found = DawidSkene(n_iter=100).fit(frame).probas_
    assert found is not None
    accepted = found[True] if True in found.columns else found.iloc[:, 0] * 0.0
    return {str(sample): float(p) for sample, p in accepted.items()}


def _outcome(
    reviews: Sequence[Review], sound: float, rule: Rule, rationales: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    tier = majority_tier(reviews)
    corrections = [review for review in reviews if review.review_id in rationales]
    # The one whose tier most gave, then the newest.
    best = max(corrections, key=lambda r: (r.tier == tier, r.answered_at, r.annotator), default=None)
    accepted, rejected = (sound > 1 / 2, sound < 1 / 2)
    if rule == "dawid-skene":
        accepted, rejected = sound >= _SURE, sound <= 1 - _SURE
    outcome = "accepted" if accepted else "disputed" if not rejected else "corrected" if best else "rejected"
    ratings = [review.quality for review in reviews if review.quality is not None]
    return {
        "sample_id": reviews[0].sample_id,
        "pair_id": reviews[0].pair_id,
        "outcome": outcome,
        "tier": tier,
        "reviews": len(reviews),
        "accepting": sum(review.vote == "accept" for review in reviews),
        "quality": sum(ratings) / len(ratings) if ratings else None,
        "p_accepted": round(sound, 6),
        "rule": rule,
        "rationale_id": rationales[best.review_id]["rationale_id"]
        if best and outcome == "corrected"
        else None,
    }


def _rationale(review: Review, run: Run) -> dict[str, Any] | None:
    """The row of a correction; None where it says nothing, or another tier than its annotator chose."""
    assert review.tier is not None
    text = _without_verdict(review.correction or "", review.tier)
    stated = grade(f"{review.tier}\n{text}", "answer-first", review.tier)
    if not text or stated.consistent is False:
        return None
    identity = (review.pair_id, review.tier, text, REVIEW, review.annotator, review.sample_id)
    return {
        "rationale_id": str(content_id("rationale", *identity)),
        "pair_id": review.pair_id,
        "tier": review.tier,
        "text": text,
        "source": REVIEW,
        "written_by": review.annotator,
        "written_at": review.answered_at,
        "corrects_sample_id": review.sample_id,
        "review_id": review.review_id,
        "run_id": str(run.run_id),
    }


def _without_verdict(text: str, tier: int) -> str:
    """Reasoning alone: who writes the tier all the same writes it first or last."""
    name = rf"(?:{tier}|{TIERS[str(tier)]})"
    verdict = rf"\W*(?:(?:tier|verdict)\W*)?{name}(?:\W+{name})?"
    text = re.sub(rf"\A{verdict}(?:[.:)*_–—-]+\s+|\W*(?:\n|\Z))", "", text.strip(), flags=re.IGNORECASE)
    return re.sub(rf"(?:\A|\n){verdict}\W*\Z", "", text, flags=re.IGNORECASE).strip()


def _write_outcomes(
    connection: duckdb.DuckDBPyConnection, run: Run, rows: Sequence[dict[str, Any]]
) -> dict[str, int]:
    import pyarrow as pa

    table = TABLE_BY_NAME["review_outcomes"]
    filled = [{**row, "run_id": str(run.run_id)} for row in rows]
    connection.register("decided", pa.Table.from_pylist(filled, schema=arrow_schema(table)))
    columns = ", ".join(f"CAST({c.name} AS {c.type}) AS {c.name}" for c in table.columns)
    connection.execute(f"CREATE TEMP TABLE new_outcomes AS SELECT {columns} FROM decided")
    connection.unregister("decided")
    compared = [c.name for c in table.columns if c.name not in ("sample_id", "run_id")]
    changed = replace_rows(connection, table.name, "new_outcomes", compared=compared, among="true")
    connection.execute("DROP TABLE new_outcomes")
    return changed


def _write_judgments(
    connection: duckdb.DuckDBPyConnection, run: Run, reviews: Sequence[Review]
) -> dict[str, Any]:
    """A judgment for each annotator and pair whose tier is not the one that stands; then resolve the pairs."""
    import pyarrow as pa

    newest: dict[tuple[str, str], Review] = {}
    for review in reviews:
        key = (review.pair_id, review.annotator)
        if review.tier is not None and (key not in newest or review.answered_at > newest[key].answered_at):
            newest[key] = review
    given = [
        {
            "pair_id": pair_id,
            "sample_id": review.sample_id,
            "annotator": annotator,
            "tier": review.tier,
            "judged_at": review.answered_at,
            "reason": f"review {review.review_id}",
        }
        for (pair_id, annotator), review in newest.items()
    ]
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("pair_id", "sample_id", "annotator", "reason")),
            ("tier", pa.int32()),
            ("judged_at", pa.timestamp("us")),
        ]
    )
    connection.register("given", pa.Table.from_pylist(given, schema=schema))
    reviewed = f"SELECT DISTINCT pair_id FROM judgments WHERE source = '{REVIEW}'"
    judgment_id = sql_content_id(
        "judgment", f"'{REVIEW}'", "pair_id", "annotator", "tier", "judged_at", "former"
    )
    judged = f"""
        WITH standing AS (
            SELECT pair_id, source_key AS annotator, tier, confidence, judgment_id, item_version_id
            FROM ({sql_standing(reviewed)}) WHERE source = '{REVIEW}'
        ), touched AS (
            SELECT pair_id, annotator, max(answered_at) AS at FROM current_reviews GROUP BY ALL
        ), now AS (
            SELECT g.pair_id::UUID AS pair_id, g.annotator, g.tier, 1.0 AS confidence, g.judged_at, g.reason,
                r.item_version_id
            FROM given g JOIN samples x ON x.sample_id = g.sample_id::UUID
            JOIN rendered_prompts r ON r.pair_id = x.pair_id AND r.prompt_hash = x.prompt_hash
            UNION ALL
            -- Taken back: no answer of theirs gives the pair a tier any more.
            SELECT s.pair_id, s.annotator, s.tier, 0.0, $now::TIMESTAMP, 'taken back', s.item_version_id FROM standing s
            ANTI JOIN given g ON g.pair_id::UUID = s.pair_id AND g.annotator = s.annotator
        ), dated AS (
            -- What stands is outranked only by what is newer: a tier that counts again after a newer one was taken
            -- back is as new as the taking back.
            SELECT n.* REPLACE (CASE WHEN s.judgment_id IS NULL THEN n.judged_at
                ELSE coalesce(t.at, n.judged_at) END AS judged_at), s.judgment_id AS former,
                (n.tier, n.confidence) IS DISTINCT FROM (s.tier, s.confidence) AS differs
            FROM now n LEFT JOIN standing s ON s.pair_id = n.pair_id AND s.annotator = n.annotator
            LEFT JOIN touched t ON t.pair_id = n.pair_id AND t.annotator = n.annotator
        )
        SELECT {judgment_id} AS judgment_id, pair_id, item_version_id, tier, confidence, '{REVIEW}' AS source,
            annotator AS source_key, annotator AS judged_by, judged_at, reason, $run::UUID AS run_id
        FROM dated WHERE differs
    """
    parameters = {"run": run.run_id, "now": run.started_at}
    connection.execute(f"CREATE TEMP TABLE new_judgments AS {judged}", parameters)
    connection.unregister("given")
    before = _tiers(connection)
    added = insert_new(connection, "judgments", "SELECT * FROM new_judgments")
    resolve_tiers(connection, "SELECT DISTINCT pair_id FROM new_judgments")
    after = _tiers(connection)
    connection.execute("DROP TABLE new_judgments")
    relabelled = [
        pair for pair in after if None not in (before[pair], after[pair]) and before[pair] != after[pair]
    ]
    return {
        "judgments_new": added,
        "pairs_relabelled": len(relabelled),
        "pairs_now_in_conflict": sum(before[pair] is not None and after[pair] is None for pair in after),
        "conflicts_settled": sum(before[pair] is None and after[pair] is not None for pair in after),
    }


def _tiers(connection: duckdb.DuckDBPyConnection) -> dict[Any, int | None]:
    return dict(
        connection.execute(
            "SELECT pair_id, tier FROM pairs SEMI JOIN new_judgments USING (pair_id)"
        ).fetchall()
    )
