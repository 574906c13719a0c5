"""The tables, in dependency order: one declaration from which DDL, comments, the data dictionary and lineage follow.

Uniqueness is kept by idempotent inserts (`warehouse.store.insert_new`), not by indexes: a primary key over
80 million samples costs gigabytes of memory, and DuckLake has none. Times are UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warehouse.schema.evaluation import EVALUATION
from warehouse.schema.findings import FINDINGS
from warehouse.schema.judged import JUDGED
from warehouse.schema.ledger import LEDGER
from warehouse.schema.reasoning import REASONING
from warehouse.schema.review import REVIEW
from warehouse.schema.sampling import SAMPLING
from warehouse.schema.splits import SPLITS

if TYPE_CHECKING:
    from warehouse.ddl import Table

SCHEMA_VERSION = 10

TABLES: tuple[Table, ...] = (
    *LEDGER,
    *JUDGED,
    *SAMPLING,
    *REVIEW,
    *REASONING,
    *FINDINGS,
    *SPLITS,
    *EVALUATION,
)

TABLE_BY_NAME = {table.name: table for table in TABLES}
