"""Scorers: whose tier probabilities the gold tiers are held against.

What confident learning asks of them is that no probability comes from a model that was fitted to the very label
it judges. The bag of words is predicted out of fold; a sampled model reads prompts without labels; for the
predictions in a file, whoever made them answers.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curation.baseline import TIERS, out_of_fold_tier_probs
from curation.configurations import pick_configuration
from curation.ingest.cells import Cells
from curation.ingest.files import file_name, open_table
from curation.ingest.tables import Reject, require_columns
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import duckdb
    import numpy as np
    from numpy.typing import NDArray

    from curation.ingest.tables import Batch
    from warehouse.store import Store

BAG_OF_WORDS = "bag-of-words"
SAMPLES = "samples"

SUM_TOLERANCE = 0.02
"""Four probabilities written with two decimals sum to 1 within this."""


@dataclass(frozen=True, slots=True)
class Gold:
    """Pairs with a gold tier, ordered by id.

    Attributes:
        pair_ids: Their ids.
        judgment_ids: The judgment that each gold tier stands on.
        tiers: Gold tiers, 1 to 4.
    """

    pair_ids: list[uuid.UUID]
    judgment_ids: list[uuid.UUID]
    tiers: NDArray[np.int64]

    def only(self, chosen: Sequence[int]) -> Gold:
        """The pairs at the positions `chosen`."""
        return Gold(
            [self.pair_ids[i] for i in chosen],
            [self.judgment_ids[i] for i in chosen],
            self.tiers[list(chosen)],
        )


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a scorer says of pairs.

    Attributes:
        scorer: Its name: ``bag-of-words``, ``samples``, or that of the predictions' file.
        gold: The pairs.
        tier_probs: Probabilities of tiers 1 to 4, shape (pairs, 4).
        configuration_id: Sampling configuration behind ``samples``.
        file: Path of the predictions' file.
        rejects: Rows of that file which could not be used.
        about: Further lines for the summary.
    """

    scorer: str
    gold: Gold
    tier_probs: NDArray[np.float64]
    configuration_id: uuid.UUID | None = None
    file: str | None = None
    rejects: list[Reject] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)


def predict_bag_of_words(
    store: Store, report: Callable[[int, int], None] = lambda _done, _total: None
) -> Predicted:
    """Out-of-fold predictions of the baseline for every pair with a gold tier.

    Raises:
        TierwiseError: No pairs with a gold tier, or too few queries to hold some out.
    """
    with store.read() as connection:
        gold = read_gold(connection)
        texts, groups = read_texts(connection)
    return Predicted(BAG_OF_WORDS, gold, out_of_fold_tier_probs(texts, gold.tiers, groups, report))


def predict_samples(store: Store, configuration: str | None) -> Predicted:
    """Mean tier probabilities of a model's samples, where those are of the text that was judged.

    Args:
        store: The store.
        configuration: Id or its beginning; the newest finished one if not given.

    Raises:
        TierwiseError: No such configuration, or none of its samples emitted a tier.
    """
    import numpy as np

    store.merge_waiting()
    with store.read() as connection:
        picked = pick_configuration(connection, configuration)
        gold = read_gold(connection)
        rows = connection.execute(
            "SELECT v.pair_id, mean_p1, mean_p2, mean_p3, mean_p4 FROM sample_votes v "
            "JOIN pairs p ON p.pair_id = v.pair_id "
            "JOIN rendered_prompts r ON r.pair_id = v.pair_id AND r.prompt_hash = v.prompt_hash "
            "AND r.item_version_id = p.item_version_id "
            "WHERE v.configuration_id = $configuration::UUID AND p.tier IS NOT NULL AND mean_p1 IS NOT NULL "
            "ORDER BY v.pair_id",
            {"configuration": picked.configuration_id},
        ).fetchall()
    if not rows:
        raise TierwiseError(
            f"no sample of {picked.text} has tier probabilities for a pair with a gold tier; sample with --guided"
        )
    position = {pair: i for i, pair in enumerate(gold.pair_ids)}
    return Predicted(
        SAMPLES,
        gold.only([position[row[0]] for row in rows]),
        np.array([row[1:] for row in rows]),
        configuration_id=uuid.UUID(picked.configuration_id),
        about={"configuration": picked.text},
    )


def predict_from_file(store: Store, path: Path) -> Predicted:
    """Predictions of any model from a CSV, TSV, JSONL or Parquet file: ``pair_id, p1, p2, p3, p4``.

    A row is a reject where the store has no such pair, where the pair came before, or where the four are no
    probabilities that sum to 1. Pairs without a gold tier are only counted.

    Raises:
        TierwiseError: A file that cannot be read, lacks columns, or has no usable row.
    """
    import numpy as np

    with store.read() as connection:
        gold = read_gold(connection)
        in_conflict = {
            row[0] for row in connection.execute("SELECT pair_id FROM pairs WHERE tier IS NULL").fetchall()
        }
    reader = read_tier_probs(path, {pair: i for i, pair in enumerate(gold.pair_ids)}, in_conflict)
    if not reader.rows:
        first = (
            f"; first: line {reader.rejects[0].line}: {reader.rejects[0].detail}" if reader.rejects else ""
        )
        raise TierwiseError(f"{path}: no row for a pair with a gold tier{first}")
    about: dict[str, Any] = {"without_gold": len(reader.passed_over)} if reader.passed_over else {}
    return Predicted(
        path.name.encode(errors="replace").decode(),
        gold.only(list(reader.rows)),
        np.array(list(reader.rows.values())),
        file=file_name(path),
        rejects=reader.rejects,
        about=about,
    )


def read_tier_probs(
    path: Path, position: dict[uuid.UUID, int], passed_over: set[uuid.UUID]
) -> TierProbsReader:
    """What the CSV, TSV, JSONL or Parquet file at `path` says: ``pair_id, p1, p2, p3, p4``.

    Args:
        path: The file.
        position: Pairs that are asked for, and the number of each.
        passed_over: Further pairs of the store; their rows are only counted.

    Raises:
        TierwiseError: A file that cannot be read or lacks columns.
    """
    reader = TierProbsReader(position, passed_over)
    table = open_table(path)
    columns = ("pair_id", *(f"p{tier}" for tier in TIERS))
    require_columns(str(path), table.columns, columns)
    for batch in table.batches(columns):
        reader.read(batch)
    return reader


class TierProbsReader:
    """Collects tier probabilities batch by batch.

    A row is a reject where the store has no such pair, where the pair came before, or where the four are no
    probabilities that sum to 1 within `SUM_TOLERANCE`.

    Attributes:
        rows: Probabilities that sum to 1, by the pair's position.
        rejects: Rows that could not be used.
        passed_over: Pairs that came and were not asked for.
    """

    def __init__(self, position: dict[uuid.UUID, int], passed_over: set[uuid.UUID]) -> None:
        self._position = position
        self._others = passed_over
        self.rows: dict[int, list[float]] = {}
        self.rejects: list[Reject] = []
        self.passed_over: set[uuid.UUID] = set()

    def read(self, batch: Batch) -> None:
        """Sort the rows of `batch` into `rows`, `passed_over` and `rejects`."""
        cells = Cells(batch.columns)
        for column in batch.columns:
            cells.required(column)
        pairs = cells.converted("pair_id", "pair id", _pair_id, "string")
        given = [cells.converted(f"p{tier}", "probability", _probability, "double") for tier in TIERS]
        rows = zip(*(array.to_pylist() for array in (pairs, *given) if array is not None), strict=True)
        for index, (pair, *probs) in enumerate(rows):
            fault = cells.faults.get(index) or self._take(uuid.UUID(pair), probs)
            if fault:
                self.rejects.append(Reject(batch.lines[index].as_py(), *fault, batch.raw(index)))
        self.rejects += batch.rejects

    def _take(self, pair: Any, probs: list[Any]) -> tuple[str, str] | None:
        """Keep a row, or tell what is wrong with it."""
        total = math.fsum(probs)
        # Rounded, as 1.02 - 1 is a little more than 0.02.
        if round(abs(total - 1), 9) > SUM_TOLERANCE:
            return "probabilities do not sum to 1", f"they sum to {total:.4g}"
        position = self._position.get(pair)
        if position is None and pair not in self._others:
            return "unknown pair", f"{pair} is not in this store"
        if position in self.rows or pair in self.passed_over:
            return "repeated pair", f"{pair} stands in an earlier row"
        if position is None:
            self.passed_over.add(pair)
        else:
            self.rows[position] = [p / total for p in probs]
        return None


def read_gold(connection: duckdb.DuckDBPyConnection) -> Gold:
    """The pairs with a gold tier.

    Raises:
        TierwiseError: None.
    """
    import numpy as np

    rows = connection.execute(
        "SELECT pair_id, judgment_id, tier FROM pairs WHERE tier IS NOT NULL ORDER BY pair_id"
    ).fetchall()
    if not rows:
        raise TierwiseError(
            "no pair with a gold tier in this store; bring judged rows in with `python -m curation ingest`"
        )
    return Gold([row[0] for row in rows], [row[1] for row in rows], np.array([row[2] for row in rows]))


def read_texts(connection: duckdb.DuckDBPyConnection) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Query, title and description of the pairs with a gold tier by id, and the intent or query that groups them."""
    rows = connection.execute(
        "SELECT q.text, v.title, coalesce(v.description, ''), coalesce(q.intent, CAST(q.query_id AS VARCHAR)) "
        "FROM pairs p JOIN queries q USING (query_id) "
        "JOIN item_versions v ON v.item_version_id = p.item_version_id WHERE p.tier IS NOT NULL ORDER BY p.pair_id"
    ).fetchall()
    return [row[:3] for row in rows], [row[3] for row in rows]


def _pair_id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ValueError("not an id (32 hex digits)") from None


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError("not a probability from 0 to 1")
    return value
