"""Predictions of any other system, from a file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.ingest.files import file_name
from curation.ingest.rejects import add_rejects, rejects_table
from curation.scorers import read_tier_probs
from eval.predict.members import keep, read_members, summarise, values_id
from eval.predictors import Predictor, require_name
from warehouse.errors import TierwiseError
from warehouse.ledger import Run

if TYPE_CHECKING:
    from pathlib import Path

    from curation.scorers import TierProbsReader
    from warehouse.store import Store


def predict_from_file(store: Store, split: str, path: Path, name: str | None = None) -> dict[str, Any]:
    """Take the tier probabilities of the pairs of `split` from a CSV, TSV, JSONL or Parquet file.

    Rows of other pairs of the store are counted and not kept; what cannot be used goes to ``rejects``. Another file
    under the same name holds newer predictions of the same predictor.

    Args:
        store: The store.
        split: The split.
        path: The file: ``pair_id, p1, p2, p3, p4``.
        name: Name of the predictor; the file's, without its ending, if not given.

    Raises:
        TierwiseError: No such split, or one that was altered; a file that cannot be read, lacks columns, or has no
            usable row for a pair of the split.
    """
    called = path.stem.encode(errors="replace").decode() if name is None else name
    predictor = Predictor(called, "file")
    with store.read() as connection:
        members = read_members(connection, split)
        require_name(connection, predictor)
        others = {row[0] for row in connection.execute("SELECT pair_id FROM pairs").fetchall()}
    position = {pair: i for i, pair in enumerate(members.pair_ids)}
    reader = read_tier_probs(path, position, others - position.keys())
    if not reader.rows:
        raise TierwiseError(f"{path}: no usable row for a pair of {split}; {_why(reader)}")
    file = file_name(path)
    run = Run("predict", {"split": split, "from": file, "name": predictor.name})
    chosen = list(reader.rows)
    with store.write(run) as connection:
        added = keep(
            connection,
            run,
            predictor,
            members,
            chosen,
            np.array(list(reader.rows.values())),
            [values_id(reader.rows[i]) for i in chosen],
        )
        connection.register("unusable", rejects_table(file, reader.rejects))
        add_rejects(connection, run, "predictions", "FROM unusable")
        run.summary = {
            **summarise(predictor, members, len(chosen), added),
            "missing": len(members.pair_ids) - len(chosen),
            "outside_the_split": len(reader.passed_over),
            "rejects": Counter(reject.reason for reject in reader.rejects),
        }
    return run.summary


def _why(reader: TierProbsReader) -> str:
    """Why there are no rows, and what to do."""
    if reader.rejects:
        first = reader.rejects[0]
        return (
            f"{len(reader.rejects):,} rejects, the first: line {first.line}: {first.reason}, {first.detail}"
        )
    return f"its {len(reader.passed_over):,} pairs stand outside the split; name the split they are of"
