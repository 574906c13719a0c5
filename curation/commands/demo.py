"""``curation demo`` and ``curation synthesize``: the whole path on data that the project makes itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from curation.shop.schema import Kind
from warehouse.console import db_option, json_option, print_summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.shop import ShopRow
    from warehouse.store import Store

_OTHER_ROLES = "query_id NOT IN (SELECT query_id FROM split_queries WHERE role <> '{0}')"


@click.command()
@click.option("--pairs", type=click.IntRange(1, 1_000_000), required=True, help="Judged pairs to make.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed makes the same rows.")
@click.option(
    "--category",
    "categories",
    multiple=True,
    metavar="NAME",
    help="Queries ask for goods of this category alone; may be repeated.  [default: all]",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(get_args(Kind)),
    help="Kind of queries; may be repeated.  [default: all]",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("shop.csv"),
    show_default=True,
    help="File to write.",
)
@json_option
def synthesize(
    pairs: int,
    seed: int,
    categories: tuple[str, ...],
    kinds: tuple[Kind, ...],
    out: Path,
    as_json: bool,
) -> None:
    """Make a shop's judged pairs as CSV, each tier with its derivation.

    Fewer categories and kinds make a smaller world, which a smaller model can learn.
    """
    from collections import Counter

    from curation.shop import KINDS, generate, write_csv

    queries: set[str] = set()
    intents: set[str] = set()
    tiers: Counter[str] = Counter()
    found: Counter[str] = Counter()

    def counted(rows: Iterator[ShopRow]) -> Iterator[ShopRow]:
        for row in rows:
            queries.add(row.query)
            intents.add(row.intent)
            tiers[row.label] += 1
            found[row.kind] += 1
            yield row

    written = write_csv(counted(generate(pairs, seed, categories, kinds or KINDS)), out)
    counts = {"pairs": written, "queries": len(queries), "intents": len(intents)}
    print_summary(counts | {"tiers": tiers, "kinds": found, "out": str(out)}, as_json)


@click.command()
@click.option("--pairs", type=click.IntRange(40, 2_000), default=56, show_default=True, help="Judged pairs.")
@click.option("--n", "n", type=click.IntRange(2), default=8, show_default=True, help="Samples for each.")
@click.option(
    "--max-tokens", type=click.IntRange(8), default=48, show_default=True, help="Tokens of each, at most."
)
@click.option(
    "--model", default="smollm2-135m", show_default=True, help="A folder, a hub id, or smollm2-135m."
)
@db_option
def demo(pairs: int, n: int, max_tokens: int, model: str, store: Store) -> None:
    """Go the whole path on a small generated shop, from judged rows and rationales to frozen splits.

    Prints every command before it runs it. Again on the same store, it does only what is missing.
    """
    from curation.shop import INGEST_OPTIONS

    folder = store.place.folder
    shop = folder / "demo-shop.csv"
    _run("synthesize", "--pairs", str(pairs), "--out", str(shop))
    _run("ingest", "table", str(shop), *INGEST_OPTIONS, store=store)
    _run("rules", "load", "shop", store=store)
    _run("rationales", "--teacher", "shop", store=store)
    drawn = ("--n", str(n), "--max-tokens", str(max_tokens), "--temperature", "0.7")
    _run("sample", "--model", model, *drawn, store=store)
    _run("check", store=store)
    _run("difficulty", store=store)
    _run("pairs", store=store)
    share = str(max(pairs // 4, 12))
    for role in ("eval", "calibration"):
        where = ("--where", _OTHER_ROLES.format(role))
        _run(
            "split",
            "create",
            role,
            "--role",
            role,
            "--size",
            share,
            *where,
            "--drop-near-copies",
            store=store,
        )
    _run(
        "split", "create", "train", "--where", _OTHER_ROLES.format("train"), "--drop-near-copies", store=store
    )
    exports = folder / "demo-export"
    _run("export", "train_v1", "--format", "hf", "--out", str(exports), store=store)
    click.echo()
    print_summary(_overview(store, [shop, exports]), as_json=False)
    predictor = f"--predictor {Path(model).name}.answer-first"
    click.echo("\nTry next:")
    for command in (
        'python -m warehouse sql "SELECT query, title, text, rules_shown FROM rationale_overview LIMIT 1" --json',
        'python -m warehouse sql "SELECT band, tier, count(*) AS pairs FROM pair_overview GROUP BY ALL ORDER BY ALL"',
        f"python -m warehouse lineage {_a_preference(store)}",
        "python -m curation split show train_v1",
        "python -m warehouse sql \"SELECT words, evidence FROM current_findings WHERE kind = 'grounding' LIMIT 5\"",
        f"python -m eval predict --split calibration_v1 --model {model}",
        f"python -m eval predict --split eval_v1 --model {model}",
        f"python -m eval partition fit {predictor} --fit calibration_v1 --judge eval_v1",
        f"python -m eval report {predictor} --split eval_v1 --out report.html",
        f"python -m training.sft --split train_v1 --model {model} --use_peft --learning_rate 1e-3 "
        "--per_device_train_batch_size 2 --max_steps 20",
    ):
        click.echo(f"  {command}")


def _run(*arguments: str, store: Store | None = None) -> None:
    main = click.get_current_context().find_root().command
    shown = " ".join(f'"{a}"' if " " in a else a for a in arguments)
    click.secho(f"\n$ python -m curation {shown}", bold=True)
    main.main([*arguments, *(["--db", store.place.name] if store else [])], standalone_mode=False)


def _overview(store: Store, files: list[Path]) -> dict[str, Any]:
    from curation.checks.finding import KINDS
    from curation.configurations import pick_configuration
    from curation.difficulty import BANDS
    from curation.splits.inspect import list_splits

    with store.read() as connection:
        picked = pick_configuration(connection, None)
        (pairs, queries) = connection.execute(
            "SELECT count(*), count(DISTINCT query_id) FROM pair_overview WHERE band IS NOT NULL"
        ).fetchall()[0]
        samples, tokens = connection.execute(
            "SELECT count(*), sum(completion_tokens) FROM samples WHERE configuration_id = ?",
            [picked.configuration_id],
        ).fetchall()[0]
        speed = connection.execute(
            "SELECT max(CAST(summary->>'$.tokens_per_second' AS DOUBLE)) FROM runs WHERE configuration_id = ?",
            [picked.configuration_id],
        ).fetchall()[0][0]
        pass_1, pass_n, n = connection.execute(
            "SELECT avg(pass_1), avg(pass_n), max(n) FROM pair_overview WHERE band IS NOT NULL"
        ).fetchall()[0]
        bands = dict(
            connection.execute(
                "SELECT band, count(*) FROM pair_overview WHERE band IS NOT NULL GROUP BY 1"
            ).fetchall()
        )
        rationales, cited = connection.execute(
            "SELECT count(DISTINCT rationale_id), count(DISTINCT rule) FROM "
            "(SELECT rationale_id, unnest(rules_cited) AS rule FROM rationales)"
        ).fetchall()[0]
        preferences = connection.execute(
            "SELECT count(*) FROM preferences WHERE configuration_id = ?", [picked.configuration_id]
        ).fetchall()[0][0]
        texts, *errors = connection.execute(
            "SELECT max(texts), "
            + ", ".join(f"sum(found) FILTER (kind = '{kind}')" for kind in KINDS)
            + " FROM ("
            "SELECT kind, sum(texts) AS texts, sum(found) AS found FROM hallucinations "
            "WHERE checker = 'text' AND step = 'any' AND configuration_id = ? GROUP BY kind)",
            [picked.configuration_id],
        ).fetchall()[0]
        splits = list_splits(connection)
    return {
        "configuration": picked.text,
        "pairs": f"{pairs:,} over {queries:,} queries",
        "rationales": f"{rationales:,} from the shop's derivations, which cite {cited:,} of its rules",
        "samples": f"{samples:,} with {tokens:,} tokens, {speed:.0f} tokens/s",
        "pass@1": pass_1,
        f"pass@{n}": pass_n,
        "bands": {band: bands.get(band, 0) for band in BANDS},
        "with an error": {kind: f"{found / texts:.0%}" for kind, found in zip(KINDS, errors, strict=True)},
        "preferences": preferences,
        "splits": [f"{s['split']}: {s['pairs']} pairs, {s['queries']} queries, {s['role']}" for s in splits],
        "files": [store.place.name, *map(str, files)],
    }


def _a_preference(store: Store) -> str:
    with store.read() as connection:
        found = connection.execute(
            "SELECT CAST(preference_id AS VARCHAR) FROM split_preferences UNION ALL "
            "SELECT CAST(sample_id AS VARCHAR) FROM samples LIMIT 1"
        ).fetchall()
    return str(found[0][0])
