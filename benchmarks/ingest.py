"""Ingest against pandas and 🤗 datasets that clean the same texts and compute the same keys.

    python -m benchmarks.ingest [--rows 1000000] [--rows 10000000] [--format csv] [--format parquet]

Each contender reads the same file in a process of its own, one after the other, so that its peak memory is its own (of
several processes, the largest one's). All end with the same tables: distinct queries, item texts, judgments and pairs.
Ours has them in a store, 🤗 datasets as folders, pandas in memory, where they are lost. The two others are written as
one who knows them would: columns, not rows; each distinct text cleaned once; ids by `hashlib` over joined bytes.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from hashlib import md5
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from curation.ingest.cleaning import clean_description

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FIELDS = ("query", "item_id", "title", "description", "label")
SOURCE, LOCALE = "bench", "us"
_BLOCK = 100_000


def write_rows(path: Path, count: int) -> None:
    """Judged rows: 20 a query, two and a half an item, one description in ten with markup; no label is bad."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    draw = np.random.default_rng(7)
    words = np.array([f"{''.join(draw.choice(list('aeioubcdfglmnprst'), 6))}" for _ in range(5_000)])
    items = max(count * 2 // 5, 1)
    schema = pa.schema([(name, pa.string()) for name in FIELDS])
    writer: Any = pq.ParquetWriter(path, schema) if path.suffix == ".parquet" else csv.CSVWriter(path, schema)

    def texts(seeds: Any, length: int, salt: int) -> list[str]:
        # An item's words follow from its number, so that it reads the same wherever it comes.
        places = (seeds[:, None] * 2_654_435_761 + np.arange(length) * 40_503 + salt) % 1_000_003 % len(words)
        return [" ".join(row) for row in words[places]]

    with writer:
        for start in range(0, count, _BLOCK):
            size = min(_BLOCK, count - start)
            item = draw.integers(items, size=size)
            descriptions = [
                f"<p>{text[:100]}</p><ul><li>{text[100:]}</li><li>A &amp; B</li></ul>"
                if number % 10 == 0
                else text
                for number, text in zip(item.tolist(), texts(item, 30, 7), strict=True)
            ]
            columns = [
                texts(np.arange(start, start + size) // 20, 3, 1),
                [f"B{number:09d}" for number in item.tolist()],
                texts(item, 9, 3),
                descriptions,
                draw.choice(["Exact", "Partial", "Irrelevant"], size=size).tolist(),
            ]
            writer.write_table(
                pa.Table.from_arrays([pa.array(c, pa.string()) for c in columns], schema=schema)
            )


TIERS = {"Exact": 4, "Partial": 3, "Irrelevant": 1}


def ours(path: Path, folder: Path) -> int:
    """`curation ingest table` into a new store."""
    from curation.ingest.files import open_tables
    from curation.ingest.load import ingest
    from curation.ingest.sources import MappedTable
    from warehouse.store import Store

    source = MappedTable(SOURCE, {name: name for name in FIELDS}, TIERS)
    summary = ingest(Store(folder / "bench.duckdb"), source, open_tables([path]))
    return int(summary["pairs"])


def _field(text: str) -> bytes:
    encoded = text.encode()
    return b"%d:%s" % (len(encoded), encoded)


def _keys(kind: str, *columns: Iterable[str]) -> list[str]:
    head = _field(kind)
    return [md5(head + b"".join(map(_field, row))).hexdigest() for row in zip(*columns, strict=True)]


def pandas(path: Path, _folder: Path) -> int:
    """The same tables as pandas frames, which are thrown away."""
    import pandas as pd

    if path.suffix == ".parquet":
        rows = pd.read_parquet(path)
    else:
        rows = pd.read_csv(path, engine="pyarrow", dtype=dict.fromkeys(FIELDS, "str"))
    queries = pd.DataFrame({"text": rows["query"].unique()})
    queries["query_id"] = _keys("query", queries["text"], [LOCALE] * len(queries))
    rows["query_id"] = rows["query"].map(queries.set_index("text")["query_id"])
    # One text a row number: the texts themselves are only hashed and cleaned once for each distinct one.
    items = rows[["item_id", "title", "description"]].drop_duplicates()
    items["item"] = _keys("sourced item", [SOURCE] * len(items), [LOCALE] * len(items), items["item_id"])
    items["version"] = _keys("item version", items["item"], items["title"], items["description"])
    items["cleaned"] = [clean_description(text) for text in items["description"]]
    rows["item"] = rows["item_id"].map(items.drop_duplicates("item_id").set_index("item_id")["item"])
    rows["tier"] = rows["label"].map(TIERS)
    rows = rows.drop(columns=["query", "title", "description", "label", "item_id"])
    rows["pair_id"] = _keys("pair", rows["query_id"], rows["item"])
    rows["key"] = rows.groupby("pair_id").cumcount().astype("str")
    rows["judgment_id"] = _keys(
        "judgment", rows["pair_id"], [SOURCE] * len(rows), rows["key"], rows["tier"].astype("str")
    )
    pairs = rows.groupby("pair_id", sort=False)["tier"].agg(["min", "max", "first"])
    pairs["conflict"] = pairs["min"] != pairs["max"]
    return len(pairs)


def datasets(path: Path, folder: Path) -> int:
    """The same tables as 🤗 datasets on disk, by `Dataset.map`, batched, in two processes."""
    import datasets as hf

    hf.disable_progress_bars()
    rows = hf.load_dataset(
        path.suffix[1:], data_files=str(path), split="train", cache_dir=str(folder / "cache")
    )
    rows = rows.map(_identified, batched=True, num_proc=2)

    def distinct(key: str, *columns: str) -> Any:
        first = rows.data.column(key).to_pandas().drop_duplicates().index
        return rows.select_columns([key, *columns]).select(first)

    queries = distinct("query_id", "query")
    items = distinct("version", "item", "title", "description").map(_cleaned, batched=True, num_proc=2)
    ids = rows.select_columns(["pair_id", "tier"]).to_pandas()
    number = ids.groupby("pair_id").cumcount().astype("str")
    tiers = ids.groupby("pair_id", sort=False)["tier"].agg(["min", "max", "first"])
    judgments = rows.select_columns(["pair_id", "version", "tier"]).add_column("key", number.to_list())
    judgments = judgments.map(_judged, batched=True, num_proc=2)
    pairs = distinct("pair_id", "query_id", "item", "version")
    for name, table in {"queries": queries, "items": items, "judgments": judgments, "pairs": pairs}.items():
        table.save_to_disk(folder / name)
    return int((tiers["min"] <= tiers["max"]).sum())


def _identified(batch: dict[str, list[str]]) -> dict[str, list[Any]]:
    count = len(batch["query"])
    query = _keys("query", batch["query"], [LOCALE] * count)
    item = _keys("sourced item", [SOURCE] * count, [LOCALE] * count, batch["item_id"])
    return {
        "query_id": query,
        "item": item,
        "version": _keys("item version", item, batch["title"], batch["description"]),
        "pair_id": _keys("pair", query, item),
        "tier": [TIERS[label] for label in batch["label"]],
    }


def _cleaned(batch: dict[str, list[str]]) -> dict[str, list[str]]:
    return {"cleaned": [clean_description(text) for text in batch["description"]]}


def _judged(batch: dict[str, list[Any]]) -> dict[str, list[str]]:
    source = [SOURCE] * len(batch["key"])
    return {"judgment_id": _keys("judgment", batch["pair_id"], source, batch["key"], map(str, batch["tier"]))}


CONTENDERS = {"ours": ours, "pandas": pandas, "datasets": datasets}


def measure(contender: str, path: Path) -> tuple[float, float, int] | None:
    """Seconds, peak memory in MB and pairs found, in a process of its own; None if it did not live to tell."""
    # What others have written is on the disk before the clock starts. This process stays small: a child's peak
    # begins with the memory of who started it.
    os.sync()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        done = _start(contender, path, "--folder", folder)
    if done.returncode:
        print(
            f"{contender}: {(done.stderr.strip().splitlines() or [f'ended with {done.returncode}'])[-1]}",
            file=sys.stderr,
        )
        return None
    seconds, peak, pairs = done.stdout.split()[-3:]
    return float(seconds), float(peak), int(pairs)


def _start(run: str, path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.ingest", "--run", run, "--file", str(path), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@click.command()
@click.option("--rows", multiple=True, type=int, default=(1_000_000, 10_000_000), show_default=True)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["csv", "parquet"]),
    default=("csv", "parquet"),
    show_default=True,
)
@click.option(
    "--contender",
    "contenders",
    multiple=True,
    type=click.Choice(list(CONTENDERS)),
    default=tuple(CONTENDERS),
    show_default=True,
)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Medians of so many.")
@click.option("--run", type=click.Choice(["write", *CONTENDERS]), hidden=True)
@click.option("--file", type=click.Path(path_type=Path), hidden=True)
@click.option("--folder", type=click.Path(path_type=Path), hidden=True)
def main(
    rows: Sequence[int],
    formats: Sequence[str],
    contenders: Sequence[str],
    repeats: int,
    run: str | None,
    file: Path,
    folder: Path,
) -> None:
    """Print the table."""
    if run == "write":
        write_rows(file, rows[0])
        return
    if run:
        began = time.perf_counter()
        pairs = CONTENDERS[run](file, folder)
        seconds = time.perf_counter() - began
        own, children = (
            resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        print(f"{seconds} {max(own, children) / 1024} {pairs}")
        return
    print("| rows | file | | seconds | rows/s | time, ours = 1 | peak MB |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="tierwise-bench-") as temporary:
        for suffix in formats:
            for count in rows:
                path = Path(temporary) / f"rows.{suffix}"
                _start("write", path, "--rows", str(count)).check_returncode()
                found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in contenders}
                # Alternating, so that a machine that slows down slows all.
                for name in list(contenders) * repeats:
                    if (result := measure(name, path)) is not None:
                        found[name].append(result)
                print_rows(count, suffix, found)


def print_rows(count: int, suffix: str, found: dict[str, list[tuple[float, float, int]]]) -> None:
    """Medians, a row for each contender."""
    first = next(iter(found.values()))
    base = median(seconds for seconds, _, _ in first)
    for name, results in found.items():
        if not results:
            print(f"| {count:,} | {suffix} | {name} | did not finish | | | |")
            continue
        assert {pairs for _, _, pairs in results} == {pairs for _, _, pairs in first}
        seconds = median(result[0] for result in results)
        peak = median(result[1] for result in results)
        print(
            f"| {count:,} | {suffix} | {name} | {seconds:.1f} | {count / seconds:,.0f} | {seconds / base:.2f} | "
            f"{peak:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
