"""Outcomes to difficulty to preferences, against pandas and polars over the same tables.

    python -m benchmarks.curate [--samples 8000000] [--samples 80000000] [--memory 4000]

All three begin with graded samples: ours in a store, the others in the Parquet files of its tables. Each ends with
the difficulty of every pair and with the preferences that `curation pairs` builds by default: hardest first, sides
matched in length, no equal texts, at most two a prompt, texts joined last. `--memory` ends a contender that takes more,
as a machine that has no more would.
"""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence

RATIO, PER_PROMPT = 2.0, 2
TABLES = ("samples", "grades", "pairs")


def ours(store: Path, _tables: Path) -> tuple[int, int]:
    """`curation difficulty` and `curation pairs`, without grading, into the store."""
    from curation.difficulty import update_difficulty
    from curation.preferences import update_preferences
    from warehouse.store import Store

    pairs = update_difficulty(Store(store))["new"]
    return pairs, update_preferences(Store(store))["preferences"]


def _ids(column: Any) -> Any:
    """The first 8 of an id's 16 bytes as integers: at these sizes no two ids share them."""
    import numpy as np
    import pyarrow as pa

    stored = column.combine_chunks()
    stored = stored.storage if isinstance(stored.type, pa.UuidType) else stored
    return np.frombuffer(stored.buffers()[1], np.uint64)[::2][stored.offset : stored.offset + len(stored)]


def _posteriors(n: Any, c: Any) -> Any:
    import numpy as np
    from scipy.stats import beta

    a, b = c + 0.5, n - c + 0.5
    return np.stack([a / (a + b), beta.ppf(0.025, a, b), beta.ppf(0.975, a, b)])


def pandas(_store: Path, tables: Path) -> tuple[int, int]:
    """The same with pandas: ids as integers, texts hashed once and joined last."""
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    read = pq.read_table(
        tables / "samples.parquet",
        columns=["sample_id", "pair_id", "sample_index", "tier_probs", "finish_reason", "completion_tokens"],
    )
    samples = pd.DataFrame(
        {
            "sample": _ids(read["sample_id"]),
            "pair": _ids(read["pair_id"]),
            "index": read["sample_index"].to_numpy(),
            "tokens": read["completion_tokens"].to_numpy(),
            "stopped": read["finish_reason"].combine_chunks().dictionary_encode().indices.to_numpy(),
        }
    )
    finish = read["finish_reason"].combine_chunks().dictionary_encode().dictionary.to_pylist()
    samples["stopped"] = samples["stopped"] == finish.index("stop")
    probs = read["tier_probs"].combine_chunks().flatten().to_numpy().reshape(-1, 4)
    del read
    read = pq.read_table(
        tables / "grades.parquet",
        columns=["sample_id", "judgment_id", "tier", "outcome", "correct", "distance", "gold_tier"],
    )
    grades = pd.DataFrame(
        {
            "sample": _ids(read["sample_id"]),
            "judgment": _ids(read["judgment_id"]),
            "tier": read["tier"].fill_null(0).to_numpy(),
            "wrong": pd.Series(read["outcome"].to_pandas()).eq("wrong").to_numpy(),
            "correct": read["correct"].to_numpy(),
            "distance": read["distance"].fill_null(0).to_numpy(),
        }
    )
    del read
    current = _ids(pq.read_table(tables / "pairs.parquet", columns=["judgment_id"])["judgment_id"])
    grades = grades[grades["judgment"].isin(current)].drop(columns="judgment")
    samples["row"] = np.arange(len(samples))
    graded = samples.merge(grades, on="sample")
    del samples, grades
    difficulty = graded.groupby("pair").agg(n=("correct", "size"), c=("correct", "sum"))
    difficulty["pass_1"] = difficulty["c"] / difficulty["n"]
    counts = difficulty[["n", "c"]].drop_duplicates()
    counts[["rate", "low", "high"]] = _posteriors(counts["n"].to_numpy(), counts["c"].to_numpy()).T
    difficulty = difficulty.merge(counts, on=["n", "c"])

    texts = pq.read_table(tables / "samples.parquet", columns=["text"])["text"]
    graded["words"] = pd.util.hash_array(texts.to_numpy(zero_copy_only=False))[graded["row"]]
    graded = graded.sort_values(["pair", "index"]).drop_duplicates(["pair", "words"])
    tier = graded["tier"].to_numpy()
    graded["confidence"] = np.where(tier > 0, probs[graded["row"], np.maximum(tier, 1) - 1], np.nan)
    chosen = graded.loc[graded["correct"] & graded["stopped"], ["pair", "sample", "tokens", "row"]]
    wrong = graded.loc[graded["wrong"], ["pair", "sample", "tokens", "row", "confidence", "distance"]]
    both = chosen.merge(wrong, on="pair", suffixes=("", "_wrong"))
    longer, shorter = (
        both[["tokens", "tokens_wrong"]].max(axis=1),
        both[["tokens", "tokens_wrong"]].min(axis=1),
    )
    both["ratio"] = longer / shorter
    both = both[both["ratio"] <= RATIO].sort_values(["ratio", "sample"]).drop_duplicates("sample_wrong")
    both = both.sort_values(["confidence", "distance", "sample_wrong"], ascending=[False, True, True])
    matched = both.groupby("pair").head(PER_PROMPT)
    result = pd.DataFrame(
        {
            "chosen": texts.take(matched["row"].to_numpy()).to_pandas(),
            "rejected": texts.take(matched["row_wrong"].to_numpy()).to_pandas(),
        }
    )
    return len(difficulty), len(result)


def polars(_store: Path, tables: Path) -> tuple[int, int]:
    """The same with polars, lazily and streaming."""
    import polars as pl

    grades = pl.scan_parquet(tables / "grades.parquet").select(
        "sample_id", "judgment_id", "tier", "outcome", "correct", "distance"
    )
    current = pl.scan_parquet(tables / "pairs.parquet").select("judgment_id")
    samples = pl.scan_parquet(tables / "samples.parquet")
    graded = (
        samples.select(
            "sample_id",
            "pair_id",
            "sample_index",
            "tier_probs",
            "finish_reason",
            "completion_tokens",
            pl.col("text").hash().alias("words"),
        )
        .join(grades.join(current, on="judgment_id", how="semi").drop("judgment_id"), on="sample_id")
        .with_columns(
            confidence=pl.col("tier_probs").list.get(pl.col("tier") - 1, null_on_oob=True),
            choosable=pl.col("correct") & (pl.col("finish_reason") == "stop"),
        )
        .drop("tier_probs", "finish_reason", "tier")
        .collect(engine="streaming")
    )
    difficulty = graded.group_by("pair_id").agg(n=pl.len(), c=pl.col("correct").sum())
    counts = difficulty.select("n", "c").unique()
    posteriors = _posteriors(counts["n"].to_numpy().astype(float), counts["c"].to_numpy().astype(float))
    counts = counts.with_columns(
        *(pl.Series(name, values) for name, values in zip(("rate", "low", "high"), posteriors, strict=True))
    )
    difficulty = difficulty.join(counts, on=["n", "c"]).with_columns(pass_1=pl.col("c") / pl.col("n"))
    firsts = (
        graded.sort("pair_id", "sample_index")
        .unique(["pair_id", "words"], keep="first", maintain_order=True)
        .lazy()
    )
    chosen = firsts.filter("choosable").select("pair_id", "sample_id", tokens="completion_tokens")
    wrong = firsts.filter(pl.col("outcome") == "wrong").select(
        "pair_id", "confidence", "distance", wrong_id="sample_id", wrong_tokens="completion_tokens"
    )
    longer, shorter = pl.max_horizontal("tokens", "wrong_tokens"), pl.min_horizontal("tokens", "wrong_tokens")
    matched = (
        chosen.join(wrong, on="pair_id")
        .with_columns(ratio=longer / shorter)
        .filter(pl.col("ratio") <= RATIO)
        .group_by("wrong_id")
        .agg(pl.all().sort_by("ratio", "sample_id").first())
        .group_by("pair_id")
        .agg(
            pl.struct("sample_id", "wrong_id")
            .sort_by("confidence", "distance", "wrong_id", descending=[True, False, False], nulls_last=True)
            .head(PER_PROMPT)
            .alias("match")
        )
        .explode("match")
        .unnest("match")
    )
    texts = samples.select("sample_id", "text")
    result = (
        matched.join(texts, on="sample_id").join(
            texts.rename({"sample_id": "wrong_id", "text": "rejected"}), on="wrong_id"
        )
    ).collect(engine="streaming")
    return len(difficulty), len(result)


CONTENDERS = {"ours": ours, "pandas": pandas, "polars": polars}


def measure(
    contender: str, store: Path, tables: Path, memory: int | None
) -> tuple[float, float, int, int] | None:
    """Seconds, peak memory in MB, pairs and preferences, in a process of its own; None if it did not live to tell."""
    with _start(contender, store, tables) as process:
        if memory:
            _watch(process, memory)
        stdout, stderr = process.communicate()
    if process.returncode:
        reason = (stderr.strip().splitlines() or [f"ended with {process.returncode}"])[-1]
        print(f"{contender}: {reason}", file=sys.stderr)
        return None
    seconds, peak, pairs, preferences = stdout.split()[-4:]
    return float(seconds), float(peak), int(pairs), int(preferences)


def _watch(process: subprocess.Popen[str], memory: int) -> None:
    """Kill `process` when it takes more than `memory` megabytes."""
    with contextlib.suppress(psutil.NoSuchProcess):
        taken = psutil.Process(process.pid)
        while process.poll() is None:
            if taken.memory_info().rss > memory * 1_000_000:
                print(f"took more than {memory:,} MB and is killed:", file=sys.stderr)
                process.kill()
                break
            time.sleep(0.02)


def _start(run: str, store: Path, tables: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.curate", "--run", run, "--store", store, "--tables", tables]
    return subprocess.Popen(
        [*map(str, command), *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _export(store: Path, tables: Path) -> None:
    from warehouse.ddl import sql_text
    from warehouse.store import Store

    with Store(store).read() as connection:
        for name in TABLES:
            connection.execute(f"COPY {name} TO {sql_text(tables / f'{name}.parquet')} (FORMAT parquet)")


@click.command()
@click.option("--samples", multiple=True, type=int, default=(8_000_000,), show_default=True)
@click.option(
    "--contender",
    "contenders",
    multiple=True,
    type=click.Choice(list(CONTENDERS)),
    default=tuple(CONTENDERS),
    show_default=True,
)
@click.option("--memory", type=int, help="Megabytes that each contender's process may take.  [default: any]")
@click.option("--run", type=click.Choice(["fill", *CONTENDERS]), hidden=True)
@click.option("--store", type=click.Path(path_type=Path), hidden=True)
@click.option("--tables", type=click.Path(path_type=Path), hidden=True)
def main(
    samples: Sequence[int],
    contenders: Sequence[str],
    memory: int | None,
    run: str | None,
    store: Path,
    tables: Path,
) -> None:
    """Print the table."""
    if run == "fill":
        from benchmarks.graded_store import fill

        fill(store, samples[0])
        _export(store, tables)
        return
    if run:
        began = time.perf_counter()
        pairs, preferences = CONTENDERS[run](store, tables)
        seconds = time.perf_counter() - began
        print(f"{seconds} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024} {pairs} {preferences}")
        return
    print(
        "| samples | | seconds | time, ours = 1 | peak MB | pairs | preferences |\n|---|---|---|---|---|---|---|"
    )
    for count in samples:
        with tempfile.TemporaryDirectory(prefix="tierwise-bench-") as temporary:
            store, tables = Path(temporary) / "bench.duckdb", Path(temporary)
            with _start("fill", store, tables, "--samples", str(count)) as filling:
                _, stderr = filling.communicate()
            assert not filling.returncode, stderr
            base = None
            for name in contenders:
                found = measure(name, store, tables, memory)
                if found is None:
                    print(f"| {count:,} | {name} | did not finish | | | | |", flush=True)
                    continue
                seconds, peak, pairs, preferences = found
                base = base or seconds
                print(
                    f"| {count:,} | {name} | {seconds:.1f} | {seconds / base:.2f} | {peak:,.0f} | {pairs:,} | "
                    f"{preferences:,} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
