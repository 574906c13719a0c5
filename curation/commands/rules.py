"""``curation rules``."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from warehouse.console import db_option, json_option, print_summary, print_table, printable
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from curation.rulebook.check import Vocabulary
    from curation.rulebook.rule import Rulebook
    from warehouse.store import Store

_IN_STORE = re.compile(r"(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)(?:@(?P<version>\d+))?")
_BOOK = "BOOK is a YAML file, or the name of a rulebook that comes with Tierwise: general, shop."


@click.group()
def rules() -> None:
    """Rulebooks: relevance rules as versioned YAML, which teachers and judges read."""


@rules.command(epilog=_BOOK)
@click.argument("book")
@db_option
@json_option
def load(book: str, store: Store, as_json: bool) -> None:
    """Keep the version of BOOK in the store; a version that was loaded never changes."""
    from curation.rulebook.check import check_rulebook
    from curation.rulebook.reading import read_rulebook
    from curation.rulebook.stored import load_rulebook
    from warehouse.ledger import utc_now

    path = _file(book)
    read = read_rulebook(path)
    # A rule that has run out keeps nobody from loading the book that it stands in.
    days = [day for rule in read.rules if (day := rule.valid_to)]
    found = check_rulebook(read, min([utc_now().date(), *days]))
    if errors := [each.message for each in found if each.severity == "error"]:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise TierwiseError(f"{path}: {errors[0]}{more}; `python -m curation rules check {book}` lists all")
    print_summary({**load_rulebook(store, read), "warnings": len(found)}, as_json)


@rules.command("list")
@click.argument("name", required=False)
@db_option
@json_option
def list_(name: str | None, store: Store, as_json: bool) -> None:
    """The rules in force of the rulebook NAME, or the rulebooks of the store."""
    from curation.rulebook.stored import stored_rulebook

    with store.read() as connection:
        books = connection.execute(
            "SELECT b.rulebook, max(b.version), count(DISTINCT b.version), "
            "count(r.rule_id) FILTER (r.version = newest), arg_max(b.about, b.version) FROM rulebooks b "
            "JOIN (SELECT rulebook, max(version) AS newest FROM rulebooks GROUP BY ALL) USING (rulebook) "
            "JOIN rules r ON r.rulebook = b.rulebook AND r.version = b.version GROUP BY b.rulebook ORDER BY 1"
        ).fetchall()
        book = stored_rulebook(connection, name) if name else None
    if book is None:
        head = ("rulebook", "version", "versions", "rules", "about")
        if as_json:
            click.echo(json.dumps([dict(zip(head, row, strict=True)) for row in books]))
        elif books:
            print_table(head, [tuple(map(str, row)) for row in books])
        else:
            click.echo("No rulebook; `python -m curation rules load general` brings one.", err=True)
        return
    if as_json:
        click.echo(json.dumps([asdict(rule) for rule in book.rules], ensure_ascii=False, default=str))
        return
    for rule in book.rules:
        cap = f"≤ {rule.tier}" if rule.tier else "   "
        click.echo(f"{cap}  {click.style(rule.name, bold=True)}  {printable(rule.text)}")


@rules.command(epilog=_BOOK)
@click.argument("book")
@click.option(
    "--against-store", is_flag=True, help="Also find scopes that name what the store does not hold."
)
@db_option
@json_option
def check(book: str, against_store: bool, store: Store, as_json: bool) -> None:
    """Find what is wrong with BOOK: rules that contradict or shadow each other, that never apply, and gaps.

    Exit status 1 where there is an error.
    """
    from curation.rulebook.check import check_rulebook
    from curation.rulebook.reading import read_with_faults
    from warehouse.ledger import utc_now

    path = _file(book)
    read, faults = read_with_faults(path)
    findings = [{"severity": "error", "where": f"{path}:{f.line}", "what": f.text} for f in faults]
    if read is not None:
        vocabulary = _vocabulary(store) if against_store else None
        findings += [
            {"severity": each.severity, "where": each.rule or path.name, "what": each.message}
            for each in check_rulebook(read, utc_now().date(), vocabulary)
        ]
    if as_json:
        click.echo(json.dumps(findings, ensure_ascii=False))
    for each in [] if as_json else findings:
        colour = "red" if each["severity"] == "error" else "yellow"
        click.echo(f"{click.style(each['severity'], fg=colour)}  {each['where']}: {printable(each['what'])}")
    errors = sum(each["severity"] == "error" for each in findings)
    click.echo(f"{errors} errors, {len(findings) - errors} warnings", err=True)
    if errors:
        raise click.exceptions.Exit(1)


@rules.command(epilog="OLD and NEW are files, or NAME and NAME@VERSION in the store.")
@click.argument("old")
@click.argument("new")
@db_option
@json_option
def diff(old: str, new: str, store: Store, as_json: bool) -> None:
    """Say in words what changed from the rulebook OLD to NEW, and for which items."""
    from curation.rulebook.diff import explain_changes

    sentences = explain_changes(_book(store, old), _book(store, new))
    if as_json:
        click.echo(json.dumps(sentences, ensure_ascii=False))
    for sentence in [] if as_json else sentences:
        click.echo(printable(sentence))


def _file(book: str) -> Path:
    from curation.rulebook.reading import built_in, built_in_names

    return built_in(book) if book in built_in_names() else Path(book)


def _book(store: Store, name: str) -> Rulebook:
    from curation.rulebook.reading import read_rulebook
    from curation.rulebook.stored import stored_rulebook

    if (found := _IN_STORE.fullmatch(name)) and not Path(name).exists():
        with store.read() as connection:
            return stored_rulebook(
                connection, found["name"], int(found["version"]) if found["version"] else None
            )
    return read_rulebook(Path(name))


def _vocabulary(store: Store) -> Vocabulary:
    """Names that the pairs of the store have."""
    from curation.rulebook.check import Vocabulary

    queries = {
        "category": "SELECT DISTINCT json_extract_string(attributes, '$.category') FROM items",
        "attribute": "SELECT DISTINCT unnest(json_keys(attributes)) FROM items WHERE attributes IS NOT NULL",
        "locale": "SELECT DISTINCT locale FROM queries",
        "kind": "SELECT DISTINCT kind FROM queries",
    }
    with store.read() as connection:
        found = {
            name: frozenset(value for (value,) in connection.execute(query).fetchall() if value)
            for name, query in queries.items()
        }
    return Vocabulary(**found)
