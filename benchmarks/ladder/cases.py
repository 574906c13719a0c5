"""Pairs whose verdict a stage changed, before and after, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from benchmarks.ladder.read import Ladder
    from warehouse.store import Store

STEPS = {
    ("cot-sft", "dpo"): (2, 1),
    ("dpo", "grpo-dynamic"): (2, 1),
    ("cot-sft", "grpo-dynamic"): (3, 1),
}
"""For two rungs, how many pairs to show that the later one got right, and wrong, where the other did not."""

_CHANGED = """
    WITH answered AS (
        SELECT p.predictor_id, p.pair_id, list_position(p.tier_probs, list_max(p.tier_probs)) AS tier, s.text
        FROM predictions p LEFT JOIN samples s USING (sample_id) WHERE p.tier_probs IS NOT NULL
    )
    SELECT m.pair_id, v.query, v.title, v.description, m.tier AS gold, b.tier, b.text, a.tier, a.text
    FROM split_members m JOIN pair_overview v USING (pair_id)
    JOIN answered b ON b.pair_id = m.pair_id AND b.predictor_id = $before
    JOIN answered a ON a.pair_id = m.pair_id AND a.predictor_id = $after
    WHERE m.split = $split AND (CASE WHEN $gained THEN a.tier = m.tier AND b.tier <> m.tier
                                ELSE b.tier = m.tier AND a.tier <> m.tier END)
        AND NOT list_contains($shown::UUID[], m.pair_id)
    ORDER BY md5(CAST(m.pair_id AS VARCHAR) || $before) LIMIT $n
"""


def cases(store: Store, ladder: Ladder) -> Iterator[str]:
    """Markdown of the cases of the first seed; which ones, a hash of their ids decides."""
    records = ladder.records[0]
    split = records["eval"].outputs["split"]
    shown: list[uuid.UUID] = []
    for (before, after), counts in STEPS.items():
        for gained, n in zip((True, False), counts, strict=True):
            parameters = {
                "before": records[f"predict-{before}"].outputs["predictor_id"],
                "after": records[f"predict-{after}"].outputs["predictor_id"],
                "split": split,
                "gained": gained,
                "n": n,
                "shown": shown,
            }
            with store.read(copy_if_held=True) as connection:
                found = connection.execute(_CHANGED, parameters).fetchall()
            for (
                pair,
                query,
                title,
                description,
                gold,
                tier_before,
                text_before,
                tier_after,
                text_after,
            ) in found:
                shown.append(pair)
                yield f"### {len(shown)}. {before} {tier_before}, {after} {tier_after}; gold {gold}\n"
                yield f"**{query}** × **{title}**: {' '.join((description or '').split())}\n"
                yield f"| {before}: {tier_before} | {after}: {tier_after} |"
                yield "|---|---|"
                yield f"| {_cell(text_before)} | {_cell(text_after)} |\n"


def _cell(text: str | None) -> str:
    return "<br>".join((text or "no text").replace("|", "\\|").splitlines())
