"""Rulebooks in the store: loaded once a version, never changed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any, cast

from curation.rulebook.rule import Example, Rule, Rulebook, Scope, When
from warehouse.errors import TierwiseError
from warehouse.ledger import Run, utc_now
from warehouse.parts import insert_rows

if TYPE_CHECKING:
    import duckdb

    from warehouse.store import Store


def load_rulebook(store: Store, book: Rulebook) -> dict[str, Any]:
    """Keep `book` in the store; the same again adds nothing.

    Raises:
        TierwiseError: The store holds this version with other rules, or a newer one.
    """
    run = Run("rules", {"rulebook": book.name, "version": book.version})
    content = _content_hash(book)
    with store.write(run) as connection:
        known = dict(
            connection.execute(
                "SELECT version, content_hash FROM rulebooks WHERE rulebook = ?", [book.name]
            ).fetchall()
        )
        if known.get(book.version, content) != content:
            raise TierwiseError(
                f"version {book.version} of rulebook {book.name} is in the store with other rules; say version: "
                f"{max(known) + 1} in the file"
            )
        if newer := [version for version in known if version > book.version]:
            raise TierwiseError(
                f"the store has version {max(newer)} of rulebook {book.name}; say version: {max(newer) + 1} in the file"
            )
        head = {
            "rulebook": book.name,
            "version": book.version,
            "about": book.about,
            "content_hash": content,
            "loaded_at": utc_now(),
            "run_id": str(run.run_id),
        }
        insert_rows(connection, "rulebooks", [head])
        added = insert_rows(
            connection, "rules", [_row(book, n, rule, run) for n, rule in enumerate(book.rules, 1)]
        )
        run.summary = {
            "rulebook": book.name,
            "version": book.version,
            "rules": len(book.rules),
            "state": "loaded" if added else "was there",
        }
    return run.summary


def stored_rulebook(
    connection: duckdb.DuckDBPyConnection, name: str | None = None, version: int | None = None
) -> Rulebook:
    """A rulebook as it was loaded; the only one without a name, its newest version without one.

    Raises:
        TierwiseError: It is not in the store, or several are and none is named.
    """
    known = connection.execute(
        "SELECT rulebook, version, about FROM rulebooks WHERE rulebook = coalesce($name, rulebook) "
        "AND version = coalesce($version::INTEGER, version) ORDER BY rulebook, version DESC",
        {"name": name, "version": version},
    ).fetchall()
    asked = "no rulebook" if name is None else f"no rulebook {name}" + (f"@{version}" if version else "")
    if not known:
        raise TierwiseError(f"{asked} in this store; `python -m curation rules load FILE` brings one")
    if len({row[0] for row in known}) > 1:
        names = ", ".join(sorted({row[0] for row in known}))
        raise TierwiseError(f"several rulebooks in this store ({names}); name one with --rulebook")
    found, newest, about = known[0]
    rows = connection.execute(
        "SELECT * FROM rules WHERE rulebook = ? AND version = ? ORDER BY place", [found, newest]
    )
    columns = [column[0] for column in rows.description]
    rules = tuple(_rule(dict(zip(columns, row, strict=True))) for row in rows.fetchall())
    return Rulebook(found, newest, about, rules)


def _row(book: Rulebook, place: int, rule: Rule, run: Run) -> dict[str, Any]:
    return {
        "rule_id": str(book.rule_id(rule)),
        "rulebook": book.name,
        "version": book.version,
        "place": place,
        "rule": rule.name,
        "text": rule.text,
        "tier": rule.tier,
        "categories": rule.scope.category,
        "kinds": rule.scope.kind,
        "attributes": rule.scope.attribute,
        "locales": rule.scope.locale,
        "relations": rule.when.relation,
        "strengths": rule.when.strength,
        "outcomes": rule.when.outcome,
        "overrides": rule.over,
        "examples": _json(rule.examples),
        "counter_examples": _json(rule.counter_examples),
        "valid_from": rule.valid_from,
        "valid_to": rule.valid_to,
        "run_id": str(run.run_id),
    }


def _rule(row: dict[str, Any]) -> Rule:
    def several(column: str) -> tuple[Any, ...]:
        return tuple(cast("list[str]", row[column]))

    return Rule(
        name=row["rule"],
        text=row["text"],
        tier=row["tier"],
        scope=Scope(*map(several, ("categories", "kinds", "attributes", "locales"))),
        when=When(*map(several, ("relations", "strengths", "outcomes"))),
        over=several("overrides"),
        examples=_examples(row["examples"]),
        counter_examples=_examples(row["counter_examples"]),
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
    )


def _json(examples: tuple[Example, ...]) -> str:
    return json.dumps([dataclasses.asdict(each) for each in examples], ensure_ascii=False)


def _examples(stored: str) -> tuple[Example, ...]:
    return tuple(Example(**each) for each in json.loads(stored))


def _content_hash(book: Rulebook) -> str:
    content = json.dumps([book.about, *map(dataclasses.asdict, book.rules)], default=str, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
