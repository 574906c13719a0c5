"""From any row back to source lines, prompts, models and runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb


@dataclass(slots=True)
class Node:
    """A row in the tree: what it is, and the rows that it came from."""

    kind: str
    row_id: str
    text: str
    run: str | None = None
    parents: list[Node] = field(default_factory=list)

    def lines(self, indent: str = "") -> Iterator[str]:
        """The tree as text, this row first."""
        run = f"  ← {self.run}" if self.run else ""
        yield f"{indent}{self.kind} {self.row_id}  {self.text}{run}"
        for parent in self.parents:
            yield from parent.lines(indent + "  ")


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a row of `table` is found by its key, described, and followed upwards.

    `parents` are (kind, key expression over the row's columns).
    """

    table: str
    key: str
    text: str
    parents: tuple[tuple[str, str], ...] = ()


_SHORT = (
    "concat('\"', regexp_replace(substr({0}, 1, 60), '\\s+', ' ', 'g'), "
    "CASE WHEN length({0}) > 60 THEN '…' ELSE '' END, '\"')"
)

_KINDS: dict[str, _Kind] = {
    "preference": _Kind(
        "(SELECT preference_id, pair_id, prompt_hash, chosen_sample_id, rejected_sample_id, run_id "
        "FROM preferences "
        "UNION SELECT preference_id, m.pair_id, prompt_hash, chosen_sample_id, rejected_sample_id, NULL "
        "FROM split_preferences m ANTI JOIN preferences USING (preference_id))",
        "preference_id",
        "'chosen over rejected'",
        (("sample", "chosen_sample_id"), ("sample", "rejected_sample_id"), ("pair", "pair_id")),
    ),
    "grade": _Kind(
        "grades",
        "grade_id",
        "concat(outcome, ' against gold tier ', gold_tier, ', grader ', grader_version)",
        (("sample", "sample_id"), ("judgment", "judgment_id")),
    ),
    "difficulty": _Kind(
        "difficulty",
        "difficulty_id",
        "concat(band, ': ', c, ' of ', n, ' correct')",
        (("configuration", "configuration_id"), ("pair", "pair_id")),
    ),
    "sample": _Kind(
        "samples",
        "sample_id",
        "concat('index ', sample_index, ', tier ', coalesce(CAST(tier AS VARCHAR), 'unparsable'), ', ', "
        + _SHORT.format("text")
        + ")",
        (
            ("rendered prompt", "concat(pair_id, '/', prompt_hash)"),
            ("configuration", "configuration_id"),
            ("pair", "pair_id"),
        ),
    ),
    "rendered prompt": _Kind(
        "(SELECT *, concat(pair_id, '/', prompt_hash) AS rendering FROM rendered_prompts)",
        "rendering",
        _SHORT.format("json_extract_string(messages, '$[#-1].content')"),
        (("prompt", "prompt_id"), ("item version", "item_version_id")),
    ),
    "prompt": _Kind("prompts", "prompt_id", "concat(name, ', ', format)"),
    "configuration": _Kind(
        "configurations",
        "configuration_id",
        "CAST(decoding AS VARCHAR)",
        (("model", "model_id"), ("prompt", "prompt_id")),
    ),
    "model": _Kind("models", "model_id", "concat(name, ', sha256 ', substr(digest, 1, 12), ', ', path)"),
    "pair": _Kind(
        "pairs",
        "pair_id",
        "concat('tier ', coalesce(CAST(tier AS VARCHAR), 'in conflict'))",
        (("query", "query_id"), ("item version", "item_version_id"), ("judgments", "pair_id")),
    ),
    "query": _Kind("queries", "query_id", "concat(" + _SHORT.format("text") + ", ', ', locale, ', ', kind)"),
    "item version": _Kind("item_versions", "item_version_id", _SHORT.format("title")),
    "judgment": _Kind(
        "judgments",
        "judgment_id",
        "concat('tier ', tier, ', ', source, ', ', source_file, ':', source_row, "
        "coalesce(', judged by ' || judged_by, ''), coalesce(' at ' || judged_at, ''))",
    ),
    "reject": _Kind("rejects", "reject_id", "concat(reason, ': ', detail, ', ', file, ':', line)"),
    "split": _Kind(
        "splits",
        "split",
        "concat(role, ', ', (SELECT count(*) FROM split_members m WHERE m.split = row.split), "
        "' pairs, sha256 ', substr(content_hash, 1, 12), ', recipe ', recipe)",
        (("configuration", "configuration_id"),),
    ),
    "split member": _Kind(
        "(SELECT *, concat(split, '/', pair_id) AS member FROM split_members)",
        "member",
        "concat('frozen at tier ', tier, coalesce(', band ' || band, ''))",
        (("split", "split"), ("pair", "pair_id")),
    ),
}
# Kinds whose rows are looked for by a bare id; the others are reached through them.
_ROOTS = tuple(k for k in _KINDS if k not in ("rendered prompt", "split", "split member"))
_ID = re.compile(r"[0-9a-f-]{6,36}", re.IGNORECASE)


def trace(connection: duckdb.DuckDBPyConnection, name: str) -> Node:
    """Tree of the row that `name` names.

    `name` is an id or a unique prefix of one (6 hex digits or more), a split, or ``SPLIT/PAIR`` for a member
    of a split.

    Raises:
        TierwiseError: No such row, or several.
    """
    split, _, pair = name.partition("/")
    if connection.execute("SELECT 1 FROM splits WHERE split = ?", [split]).fetchone():
        if not pair:
            return _node(connection, "split", split)
        found = _matching(connection, "pair", pair)
        member = f"{split}/{found[0]}" if len(found) == 1 else ""
        if not connection.execute(
            "SELECT 1 FROM split_members WHERE concat(split, '/', pair_id) = ?", [member]
        ).fetchone():
            raise TierwiseError(
                f"split {split} has no pair {pair}; see `python -m curation split show {split}`"
            )
        return _node(connection, "split member", member)
    if not _ID.fullmatch(name):
        raise TierwiseError(
            f"{name!r} is neither a split nor an id (6 hex digits or more); see `python -m warehouse status`"
        )
    hits = [(kind, row_id) for kind in _ROOTS for row_id in _matching(connection, kind, name)]
    runs = _matching_ids(connection, "runs", "run_id", name)
    if len(hits) + len(runs) > 1:
        listed = ", ".join(f"{kind} {row_id}" for kind, row_id in [*hits, *(("run", r) for r in runs)][:4])
        raise TierwiseError(f"{name} is the beginning of several ids ({listed}); give more of it")
    if hits:
        return _node(connection, *hits[0])
    if runs:
        return Node("run", runs[0], _run_text(connection, runs[0]) or "")
    raise TierwiseError(
        f"no row with id {name} in this store; ids stand in every export and in `warehouse sql`"
    )


def _matching(connection: duckdb.DuckDBPyConnection, kind: str, prefix: str) -> list[str]:
    return _matching_ids(connection, _KINDS[kind].table, _KINDS[kind].key, prefix)


def _matching_ids(connection: duckdb.DuckDBPyConnection, table: str, key: str, prefix: str) -> list[str]:
    rows = connection.execute(
        f"SELECT DISTINCT CAST({key} AS VARCHAR) FROM {table} "
        f"WHERE starts_with(replace(CAST({key} AS VARCHAR), '-', ''), ?) LIMIT 3",
        [prefix.replace("-", "").lower()],
    ).fetchall()
    return [row[0] for row in rows]


def _node(connection: duckdb.DuckDBPyConnection, kind: str, row_id: str) -> Node:
    spec = _KINDS[kind]
    keys = ", ".join(f"CAST({expression} AS VARCHAR)" for _, expression in spec.parents)
    has_run = kind != "split member"
    row = connection.execute(
        f"SELECT {spec.text}, {'CAST(run_id AS VARCHAR)' if has_run else 'NULL'}{', ' + keys if keys else ''} "
        f"FROM {spec.table} AS row WHERE CAST({spec.key} AS VARCHAR) = ?",
        [row_id],
    ).fetchone()
    if row is None:
        return Node(kind, row_id, "(no longer in the store)")
    text, run_id, *parent_ids = row
    node = Node(kind, row_id, text, _run_text(connection, run_id))
    for (parent_kind, _), parent_id in zip(spec.parents, parent_ids, strict=True):
        if parent_kind == "judgments":
            node.parents += [_node(connection, "judgment", j) for j in _judgments(connection, parent_id)]
        elif parent_id is not None:
            node.parents.append(_node(connection, parent_kind, parent_id))
    return node


def _judgments(connection: duckdb.DuckDBPyConnection, pair_id: str) -> list[str]:
    rows = connection.execute(
        "SELECT CAST(judgment_id AS VARCHAR) FROM judgments WHERE pair_id = ? ORDER BY source_file, source_row",
        [pair_id],
    ).fetchall()
    return [row[0] for row in rows]


def _run_text(connection: duckdb.DuckDBPyConnection, run_id: Any) -> str | None:
    row = connection.execute(
        "SELECT concat(kind, ' run ', substr(CAST(run_id AS VARCHAR), 1, 8), ', ', "
        "strftime(started_at, '%Y-%m-%d %H:%M'), ', ', status, ', ', code_version) FROM runs WHERE run_id = ?",
        [run_id],
    ).fetchone()
    return row[0] if row else None
