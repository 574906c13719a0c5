"""What a predictor says of the pairs of a split, beside their gold tiers: all that metrics and partitions read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.splits.inspect import verify_split
from eval.predictors import Predictor, find_predictor
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from numpy.typing import NDArray

ATTRIBUTES = ("kind", "band", "source", "locale", "disagreement", "month")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of pairs: `names` of its values, and for each pair the index of its value, [N]."""

    names: tuple[str, ...]
    codes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """N pairs of a split, by id, with Q queries.

    Attributes:
        predictor: Whose probabilities.
        split: Of which split.
        role: The split's role.
        pair_ids: Ids as text.
        tier_probs: Probabilities of tiers 1 to 4, [N, 4]; rows sum to 1 within rounding.
        gold: Gold tiers that the split froze, 1 to 4, [N].
        query: Index of each pair's query, 0 to Q − 1, [N]. Queries are the independent units.
        weight: Traffic weights, [N].
        attributes: By name, see `ATTRIBUTES`.
        undecided: Pairs of the split for which the predictor found no tier, by reason; not among the N.
        gold_changed: Pairs whose gold tier in the store is no longer the frozen one.
        altered: What about the split is not as it was frozen, if anything.
    """

    predictor: Predictor
    split: str
    role: str
    pair_ids: pa.Array
    tier_probs: NDArray[np.float64]
    gold: NDArray[np.int64]
    query: NDArray[np.int64]
    weight: NDArray[np.float64]
    attributes: dict[str, Attribute]
    undecided: dict[str, int]
    gold_changed: int
    altered: str | None = None

    @property
    def fingerprint(self) -> str:
        """Of all that thresholds follow from: pairs, probabilities, gold, queries and weights."""
        digest = hashlib.sha256("".join(self.pair_ids.to_pylist()).encode())
        for values in (self.tier_probs, self.gold, self.query, self.weight):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    @property
    def queries(self) -> int:
        """Q."""
        return int(self.query.max()) + 1 if len(self.query) else 0

    @property
    def weighted(self) -> bool:
        """Whether pairs differ in traffic."""
        return bool((self.weight != self.weight[0]).any()) if len(self.weight) else False

    def only(self, kept: NDArray[np.bool_]) -> Evidence:
        """Of these pairs, [N], as if there were no others; what was left undecided stays told."""
        import pyarrow as pa

        if kept.all():
            return self
        return replace(
            self,
            pair_ids=self.pair_ids.filter(pa.array(kept)),
            tier_probs=self.tier_probs[kept],
            gold=self.gold[kept],
            query=np.unique(self.query[kept], return_inverse=True)[1],
            weight=self.weight[kept],
            attributes={
                name: replace(each, codes=each.codes[kept]) for name, each in self.attributes.items()
            },
        )


def read_evidence(connection: duckdb.DuckDBPyConnection, predictor: str, split: str) -> Evidence:
    """What `predictor` (name or id) says of every pair of `split`.

    A prediction counts where it is of the item text that the split froze.

    Raises:
        TierwiseError: No such split or predictor, or pairs of the split that it has not predicted.
    """
    differences = verify_split(connection, split)
    found = find_predictor(connection, predictor, split)
    asked = {"predictor": found.predictor_id, "split": split}
    table: Any = connection.sql(_EVIDENCE, params=asked).to_arrow_table()
    missing = int(np.count_nonzero(~column_of(table, "predicted").astype(bool)))
    if missing:
        raise TierwiseError(
            f"{found.name} has not predicted {missing:,} of the {len(table):,} pairs of {split}: "
            + _REMEDIES[found.kind].format(split=split, name=found.name)
        )
    decided = table.filter(table.column("p1").is_valid())
    if not len(decided):
        raise TierwiseError(f"{found.name} found no tier for any pair of {split}; nothing to measure")
    reasons = [r for r in table.column("reason").to_pylist() if r is not None]
    role = connection.execute("SELECT role FROM splits WHERE split = ?", [split]).fetchall()[0][0]
    return Evidence(
        predictor=found,
        split=split,
        role=role,
        pair_ids=decided.column("pair_id").combine_chunks(),
        tier_probs=np.stack([column_of(decided, f"p{t}").astype(np.float64) for t in (1, 2, 3, 4)], axis=1),
        gold=column_of(decided, "tier").astype(np.int64),
        query=coded(decided, "query_id").codes,
        weight=column_of(decided, "weight").astype(np.float64),
        attributes={name: coded(decided, name) for name in ATTRIBUTES},
        undecided={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        gold_changed=int(column_of(decided, "gold_changed").sum()),
        altered=differences[0] if differences else None,
    )


def require_same_pairs(ours: Evidence, theirs: Evidence) -> None:
    """Check that two predictors are held against the same pairs; `common_pairs` sees to it.

    Raises:
        TierwiseError: They are not; the message says how many only one has.
    """
    if ours.pair_ids.equals(theirs.pair_ids):
        return
    a, b = set(ours.pair_ids.to_pylist()), set(theirs.pair_ids.to_pylist())
    raise TierwiseError(
        f"{ours.predictor.name} and {theirs.predictor.name} decided different pairs "
        f"({len(a - b):,} only the first, {len(b - a):,} only the second); compare on a split where both decide all"
    )


@dataclass(frozen=True, slots=True)
class Common:
    """Two predictors on the pairs that both decided.

    Attributes:
        ours: Of the one, M pairs.
        theirs: Of the other, the same ones.
        kept: Which of the N pairs of the one they are, [N].
        told: What was left out, in a line; empty where nothing was.
    """

    ours: Evidence
    theirs: Evidence
    kept: NDArray[np.bool_]
    told: str


def common_pairs(ours: Evidence, theirs: Evidence) -> Common:
    """Leave out pairs for which one of two predictors found no tier.

    Raises:
        TierwiseError: No pair is left.
    """
    a, b = (of.pair_ids.to_numpy(zero_copy_only=False) for of in (ours, theirs))
    in_a, in_b = np.isin(a, b), np.isin(b, a)
    if not in_a.any():
        raise TierwiseError(
            f"no pair of {ours.split} was decided by both {ours.predictor.name} and {theirs.predictor.name}; "
            "nothing to compare"
        )
    only_a, only_b = int(np.count_nonzero(~in_a)), int(np.count_nonzero(~in_b))
    told = (
        f"pairs that only one of them decided are left out, which flatters whoever is silent where it is hard: "
        f"{only_a:,} that only {ours.predictor.name} did, {only_b:,} that only {theirs.predictor.name} did"
    )
    return Common(ours.only(in_a), theirs.only(in_b), in_a, told if only_a or only_b else "")


def column_of(table: pa.Table, column: str) -> NDArray[Any]:
    """A column of `table` for numpy."""
    values: NDArray[Any] = table.column(column).to_numpy()
    return values


def coded(table: pa.Table, column: str) -> Attribute:
    """A column of texts as an attribute, names in alphabetical order."""
    encoded = table.column(column).combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=lambda i: names[i])
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return Attribute(tuple(names[i] for i in order), rank[encoded.indices.to_numpy()])


_REMEDIES = {
    "model": "run the `python -m eval predict` that made it again with --split {split}, it does what is missing",
    "baseline": "run `python -m eval predict --split {split} --baseline {name}`",
    "file": "give it a file with all of them by `python -m eval predict --split {split} --from FILE --name {name}`",
    "calibrated": "calibrate it again by `python -m eval calibrate`, with --fit or --judge {split}",
}

SPLIT_PAIRS = """
    SELECT m.pair_id, m.query_id, m.item_version_id, m.tier, m.weight,
        coalesce(p.tier <> m.tier, false) AS gold_changed,
        m.kind, coalesce(m.band, 'not sampled') AS band, p.source, q.locale,
        CASE WHEN m.confidence IS NULL THEN 'unknown' WHEN m.confidence < 1 THEN 'raters disagree'
            ELSE 'raters agree' END AS disagreement,
        coalesce(strftime(j.judged_at, '%Y-%m'), 'unknown') AS month
    FROM split_members m JOIN pairs p ON p.pair_id = m.pair_id JOIN queries q ON q.query_id = m.query_id
    JOIN judgments j ON j.judgment_id = m.judgment_id
    WHERE m.split = $split
"""
"""Pairs of a split as it froze them, with their `ATTRIBUTES`."""

# Ids as text: Arrow has no UUID that numpy could read.
_EVIDENCE = f"""
    SELECT m.* EXCLUDE (item_version_id)
            REPLACE (CAST(m.pair_id AS VARCHAR) AS pair_id, CAST(query_id AS VARCHAR) AS query_id),
        c.pair_id IS NOT NULL AS predicted, c.reason,
        c.tier_probs[1] AS p1, c.tier_probs[2] AS p2, c.tier_probs[3] AS p3, c.tier_probs[4] AS p4
    FROM ({SPLIT_PAIRS}) m
    LEFT JOIN (
        SELECT s.pair_id, s.item_version_id, s.tier_probs, s.reason FROM predictions s JOIN runs USING (run_id)
        WHERE s.predictor_id = $predictor::UUID QUALIFY row_number() OVER (
            PARTITION BY s.pair_id, s.item_version_id ORDER BY started_at DESC, s.prediction_id) = 1
    ) c ON c.pair_id = m.pair_id AND c.item_version_id = m.item_version_id
    ORDER BY m.pair_id
"""
