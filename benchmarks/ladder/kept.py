"""What the tables are made of, kept as Parquet: the store of three seeds is gigabytes, these rows are not."""

from __future__ import annotations

from pathlib import Path

from benchmarks.ladder.read import RECIPE, TRAINED
from warehouse.ddl import sql_text
from warehouse.ledger import Run
from warehouse.store import Store

FOLDER = Path(__file__).parent / "kept"

_CURVES = (*TRAINED, "loss", "reward", "rewards/correct/mean", "dynamic/zero_variance_after")
_WORDS = ", ".join(map(sql_text, _CURVES))

_ROWS = {
    "stages": f"SELECT * FROM stages WHERE recipe = {sql_text(RECIPE)} AND ended_at IS NOT NULL",
    # Whose machine it was, and in which folders, is of no interest.
    "runs": """SELECT * REPLACE ('' AS host, 0 AS pid,
        CAST(regexp_replace(CAST(parameters AS VARCHAR), '"/[^"]*/', '"', 'g') AS JSON) AS parameters) FROM runs""",
    "models": "SELECT * REPLACE (name AS path) FROM models",
    "prompts": "SELECT * FROM prompts",
    "splits": "SELECT * FROM splits",
    "configurations": "SELECT * FROM configurations",
    "predictors": "SELECT * FROM predictors",
    "partitions": "SELECT * FROM partitions",
    "evaluations": "SELECT * FROM evaluations WHERE slice IN ('all', 'kind')",
    "training_metrics": f"SELECT * FROM training_metrics WHERE metric IN ({_WORDS})",
}


def keep(store: Store) -> dict[str, int]:
    """Add the rows of `store` to those that are kept; return how many of each table are."""
    FOLDER.mkdir(exist_ok=True)
    counts = {}
    with store.read() as connection:
        for table, query in _ROWS.items():
            file = FOLDER / f"{table}.parquet"
            before = f"UNION FROM read_parquet({sql_text(str(file))})" if file.exists() else ""
            # Under another name first: it is read from while it is written.
            new = file.with_suffix(".new")
            (count,) = connection.execute(
                f"COPY ({query} {before} ORDER BY ALL) TO {sql_text(str(new))} (FORMAT parquet, COMPRESSION zstd)"
            ).fetchall()[0]
            new.rename(file)
            counts[table] = count
    return counts


def kept_store(path: Path) -> Store:
    """A new store at `path` with the rows that are kept, in place of one that lies there."""
    path.unlink(missing_ok=True)
    store = Store(path)
    with store.write(Run("kept", {})) as connection:
        for table in _ROWS:
            file = sql_text(str(FOLDER / f"{table}.parquet"))
            connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM read_parquet({file})")
    return store
