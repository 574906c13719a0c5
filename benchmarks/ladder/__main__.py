"""See the package: ``python -m benchmarks.ladder``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from benchmarks.ladder.cases import cases as changed
from benchmarks.ladder.kept import keep as keep_rows
from benchmarks.ladder.kept import kept_store
from benchmarks.ladder.read import FORMS, RECIPE, SEEDS, read_ladder
from benchmarks.ladder.tables import gains_table, lineage_table, rungs_table
from warehouse.store import Store

KEPT = Path("ladder-kept.duckdb")


@click.group(invoke_without_command=True)
@click.option(
    "--db", help="A store that the recipe filled.  [default: the rows that are kept, in ladder-kept.duckdb]"
)
@click.option("--lineage", is_flag=True, help="Print each number of each seed with its id.")
@click.pass_context
def main(context: click.Context, db: str | None, lineage: bool) -> None:
    """Print the ladder's tables.

    ``python -m warehouse lineage ID --db …`` leads on from the id of any number.
    """
    if context.invoked_subcommand:
        return
    store = kept_store(KEPT) if db is None else Store.named(db)
    for form in FORMS:
        ladder = read_ladder(store, form)
        if not ladder.seeds:
            continue
        click.echo(f"## {form}, seeds {', '.join(map(str, ladder.seeds))}\n")
        for table in [lineage_table] if lineage else [rungs_table, gains_table]:
            click.echo("\n".join(table(ladder)) + "\n")


@main.command()
@click.option("--db", default="ladder.duckdb", show_default=True)
@click.option("--form", type=click.Choice(FORMS), multiple=True, default=FORMS)
@click.option("--seed", type=int, multiple=True, default=SEEDS)
def run(db: str, form: tuple[str, ...], seed: tuple[int, ...]) -> None:
    """Climb; what is done is not done again."""
    for each in form:
        for number in seed:
            words = ["--set", f"prompt={each}", "--set", f"seed={number}", "--jobs", "2", "--db", db]
            command = [sys.executable, "-m", "curation", "recipe", "run", RECIPE, *words]
            if code := subprocess.run(command, check=False).returncode:
                raise SystemExit(code)


@main.command()
@click.option("--db", default="ladder.duckdb", show_default=True)
@click.option("--form", type=click.Choice(FORMS), default=FORMS[0], show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default="docs/images/ladder.png", show_default=True)
def curves(db: str, form: str, out: Path) -> None:
    """Draw the curves."""
    from benchmarks.ladder.curves import draw

    store = Store.named(db)
    draw(store, read_ladder(store, form), out)


@main.command()
@click.option("--db", default="ladder.duckdb", show_default=True)
@click.option("--form", type=click.Choice(FORMS), default=FORMS[0], show_default=True)
def cases(db: str, form: str) -> None:
    """Print ten pairs whose verdict a stage changed."""
    store = Store.named(db)
    click.echo("\n".join(changed(store, read_ladder(store, form))))


@main.command()
@click.option("--db", default="ladder.duckdb", show_default=True)
def keep(db: str) -> None:
    """Keep what the tables are made of."""
    for table, count in keep_rows(Store.named(db)).items():
        click.echo(f"{table}  {count:,}")


if __name__ == "__main__":
    main()
