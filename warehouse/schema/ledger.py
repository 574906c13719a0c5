"""What the store knows of itself: versions, runs, stages of recipes, what it refused and what was taken down."""

from __future__ import annotations

from warehouse.ddl import Column, Table
from warehouse.schema.columns import RUN, identifier

LEDGER: tuple[Table, ...] = (
    Table(
        "schema_versions",
        "Schema versions this store has gone through; the highest is current.",
        ("version",),
        (
            Column("version", "INTEGER", "Schema version."),
            Column("applied_at", "TIMESTAMP", "When it was applied."),
            Column("code_version", "VARCHAR", "Tierwise version that applied it."),
        ),
    ),
    Table(
        "runs",
        "Ledger: one row for every command that wrote.",
        ("run_id",),
        (
            identifier("run_id", "Run."),
            Column("kind", "VARCHAR", "Command, such as ingest, sample, grade, split."),
            Column("status", "VARCHAR", "running, finished, failed or interrupted."),
            Column("parameters", "JSON", "What the command was asked to do."),
            Column("code_version", "VARCHAR", "Tierwise version, with the commit where known."),
            Column("model_id", "UUID", "Model that the run used.", "models", required=False),
            Column(
                "configuration_id",
                "UUID",
                "Sampling configuration that the run worked on.",
                "configurations",
                required=False,
            ),
            Column("parents", "UUID[]", "Runs whose rows this run read."),
            Column("started_at", "TIMESTAMP", "Start."),
            Column("ended_at", "TIMESTAMP", "End; NULL while running.", required=False),
            Column(
                "resumed_at",
                "TIMESTAMP[]",
                "When it went on after each interruption; NULL where it never did.",
                required=False,
            ),
            Column("host", "VARCHAR", "Machine."),
            Column("pid", "INTEGER", "Process id on that machine."),
            Column("summary", "JSON", "What the run wrote, in counts.", required=False),
            Column(
                "stage_id",
                "UUID",
                "The recipe's stage that the command was; NULL outside of recipes.",
                "stages",
                required=False,
            ),
        ),
    ),
    Table(
        "stages",
        "Stages of recipes: one row each time that one was run. The newest finished row of a key is what stands.",
        ("stage_id", "started_at"),
        (
            identifier("stage_id", "Stage, by its key: equal stages of two recipes are one."),
            Column("recipe", "VARCHAR", "Recipe that it was run for."),
            Column("stage", "VARCHAR", "Its name there."),
            Column("key", "VARCHAR", "SHA-256, in hex, of all that decides what the stage makes."),
            Column("command", "VARCHAR", "The command, as it was run."),
            Column("inputs", "JSON", "What entered the key: settings, files, stages, watched rows."),
            Column("started_at", "TIMESTAMP", "Start."),
            Column("ended_at", "TIMESTAMP", "End; NULL where it did not finish.", required=False),
            Column("outputs", "JSON", "The command's summary, and its folder as out.", required=False),
            Column("out_digest", "VARCHAR", "SHA-256, in hex, of the folder's content.", required=False),
            RUN,
        ),
        later=("ended_at", "outputs", "out_digest"),
    ),
    Table(
        "rejects",
        "Rows that could not be used, with the reason.",
        ("reject_id",),
        (
            identifier("reject_id", "Rejected row."),
            Column("source", "VARCHAR", "Data set that it was read for."),
            Column("file", "VARCHAR", "File it stands in."),
            Column("line", "BIGINT", "Line (CSV, JSONL) or row (Parquet) where it starts, from 1."),
            Column("reason", "VARCHAR", "Short reason, the same for rows of the same fault."),
            Column("detail", "VARCHAR", "What exactly was found."),
            Column("raw", "VARCHAR", "The row, as JSON of its cells."),
            RUN,
        ),
    ),
    Table(
        "tombstones",
        "Items whose text was taken down. The text is gone from every table and is refused when it comes again.",
        ("item_id",),
        (
            identifier("item_id", "Item."),
            Column("reason", "VARCHAR", "Why it was taken down."),
            Column("taken_down_at", "TIMESTAMP", "When."),
            RUN,
        ),
    ),
)
