"""From any row back to source lines, prompts, models and runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warehouse.errors import TierwiseError
from warehouse.ids import id_range

if TYPE_CHECKING:
    import uuid
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

    `parents` are kinds with the row's columns that hold their key.
    """

    table: str
    key: tuple[str, ...]
    text: str
    parents: tuple[tuple[str, tuple[str, ...]], ...] = ()
    has_run: bool = True


_SHORT = (
    "concat('\"', regexp_replace(substr({0}, 1, 60), '\\s+', ' ', 'g'), "
    "CASE WHEN length({0}) > 60 THEN '…' ELSE '' END, '\"')"
)

_KINDS: dict[str, _Kind] = {
    "preference": _Kind(
        "(SELECT preference_id, pair_id, chosen_sample_id, chosen_rationale_id, rejected_sample_id, run_id "
        "FROM preferences "
        "UNION SELECT preference_id, m.pair_id, chosen_sample_id, chosen_rationale_id, rejected_sample_id, NULL "
        "FROM split_preferences m ANTI JOIN preferences USING (preference_id))",
        ("preference_id",),
        "CASE (SELECT source FROM rationales w WHERE w.rationale_id = row.chosen_rationale_id) "
        "WHEN 'review' THEN 'correction over what it corrects' WHEN 'teacher' THEN 'rationale over rejected' "
        "ELSE 'chosen over rejected' END",
        (
            ("sample", ("chosen_sample_id",)),
            ("rationale", ("chosen_rationale_id",)),
            ("sample", ("rejected_sample_id",)),
            ("pair", ("pair_id",)),
        ),
    ),
    "rationale": _Kind(
        "rationales",
        ("rationale_id",),
        "concat('tier ', tier, ', ', source, ', gold-' || gold, ' by ', written_by, ' at ', "
        "strftime(written_at, '%Y-%m-%d %H:%M'), ', ', " + _SHORT.format("text") + ")",
        (
            ("sample", ("sample_id",)),
            ("sample", ("corrects_sample_id",)),
            ("review", ("review_id",)),
            ("pair", ("pair_id",)),
        ),
    ),
    "finding": _Kind(
        "(SELECT f.*, s.sample_id, a.rationale_id FROM findings f LEFT JOIN samples s ON s.sample_id = f.text_id "
        "LEFT JOIN rationales a ON a.rationale_id = f.text_id)",
        ("finding_id",),
        f"concat(kind, ': ', finding, ' in step ', step, ', ', {_SHORT.format('evidence')})",
        (("sample", ("sample_id",)), ("rationale", ("rationale_id",))),
    ),
    "rule": _Kind(
        "rules",
        ("rule_id",),
        f"concat(rule, ' of ', rulebook, ' version ', version, ', ', {_SHORT.format('text')})",
    ),
    "review": _Kind(
        "reviews",
        ("review_id",),
        "concat(status, ' by ', annotator, ' at ', strftime(answered_at, '%Y-%m-%d %H:%M'), "
        "', tier ' || tier, ', quality ' || quality, ', fails: ' || array_to_string(failing_steps, ', '))",
        (("sample", ("sample_id",)),),
    ),
    "grade": _Kind(
        "grades",
        ("grade_id",),
        "concat(outcome, ' against gold tier ', gold_tier, ', grader ', grader_version)",
        (("sample", ("sample_id",)), ("judgment", ("judgment_id",))),
    ),
    "difficulty": _Kind(
        "difficulty",
        ("difficulty_id",),
        "concat(band, ': ', c, ' of ', n, ' correct')",
        (("configuration", ("configuration_id",)), ("pair", ("pair_id",))),
    ),
    "evaluation": _Kind(
        "evaluations",
        ("evaluation_id",),
        "concat(metric, ' ', coalesce(CAST(round(value, 4) AS VARCHAR), 'undefined'), ' on ', split, ', ', slice, "
        "CASE WHEN slice <> 'all' THEN concat(' ', slice_value) END)",
        (
            ("predictor", ("predictor_id",)),
            ("predictor", ("versus_id",)),
            ("configuration", ("configuration_id",)),
            ("partition", ("partition_id",)),
            ("split", ("split",)),
        ),
    ),
    "partition": _Kind(
        "partitions",
        ("partition_id",),
        "concat(kind, ', ', objective, ', thetas ', CAST(thetas AS VARCHAR), ', fitted on ', fit_split, "
        "', judged on ', judge_split)",
        (("predictor", ("predictor_id",)), ("split", ("fit_split",)), ("split", ("judge_split",))),
    ),
    "prediction": _Kind(
        "predictions",
        ("prediction_id",),
        "coalesce('p(1..4) ' || CAST(list_transform(tier_probs, lambda p: round(p, 3)) AS VARCHAR), reason)",
        (
            ("predictor", ("predictor_id",)),
            ("sample", ("sample_id",)),
            ("judgment", ("judgment_id",)),
            ("pair", ("pair_id",)),
        ),
    ),
    "predictor": _Kind(
        "predictors",
        ("predictor_id",),
        "concat(kind, ' ', name, ', ', CAST(parameters AS VARCHAR))",
        (("predictor", ("calibrates_id",)), ("configuration", ("configuration_id",))),
    ),
    "label score": _Kind(
        "label_scores",
        ("label_score_id",),
        "concat(CASE WHEN suspect THEN 'suspect' ELSE 'no suspect' END, ': gold tier ', tier, ', ', scorer, "
        "' says ', suggested_tier)",
        (
            ("judgment", ("judgment_id",)),
            ("configuration", ("configuration_id",)),
            ("pair", ("pair_id",)),
        ),
    ),
    "sample": _Kind(
        "samples",
        ("sample_id",),
        "concat('index ', sample_index, ', tier ', coalesce(CAST(tier AS VARCHAR), 'unparsable'), ', ', "
        + _SHORT.format("text")
        + ")",
        (
            ("rendered prompt", ("pair_id", "prompt_hash")),
            ("configuration", ("configuration_id",)),
            ("pair", ("pair_id",)),
        ),
    ),
    "rendered prompt": _Kind(
        "rendered_prompts",
        ("pair_id", "prompt_hash"),
        _SHORT.format("json_extract_string(messages, '$[#-1].content')"),
        (
            ("prompt", ("prompt_id",)),
            ("rules of a prompt", ("rule_ids",)),
            ("item version", ("item_version_id",)),
        ),
    ),
    "prompt": _Kind("prompts", ("prompt_id",), "concat(name, ', ', format)"),
    "configuration": _Kind(
        "configurations",
        ("configuration_id",),
        "CAST(decoding AS VARCHAR)",
        (("model", ("model_id",)), ("prompt", ("prompt_id",))),
    ),
    "model": _Kind(
        "models",
        ("model_id",),
        "concat(name, ', sha256 ', substr(digest, 1, 12), ', ', path, ', trained on ' || split || ' as of sha256 ' || "
        "substr(split_hash, 1, 12))",
        (("split", ("split",)), ("model", ("parent_id",))),
    ),
    "pair": _Kind(
        "pairs",
        ("pair_id",),
        "concat('tier ', coalesce(CAST(tier AS VARCHAR), 'in conflict'))",
        (
            ("query", ("query_id",)),
            ("item version", ("item_version_id",)),
            ("judgments of a pair", ("pair_id",)),
        ),
    ),
    "query": _Kind("queries", ("query_id",), f"concat({_SHORT.format('text')}, ', ', locale, ', ', kind)"),
    "item version": _Kind("item_versions", ("item_version_id",), _SHORT.format("title")),
    "judgment": _Kind(
        "judgments",
        ("judgment_id",),
        "concat('tier ', tier, ', ', source, ', ' || source_file || ':' || source_row, "
        "', judged by ' || judged_by, ' at ' || strftime(judged_at, '%Y-%m-%d %H:%M'), ': ' || "
        f"CASE WHEN reason IS NOT NULL THEN {_SHORT.format('reason')} END)",
    ),
    "reject": _Kind("rejects", ("reject_id",), "concat(reason, ': ', detail, ', ', file, ':', line)"),
    "run": _Kind(
        "runs",
        ("run_id",),
        "concat(kind, ', ', strftime(started_at, '%Y-%m-%d %H:%M'), ', ', status, ', ', code_version, "
        "CASE WHEN len(parents) > 0 THEN concat(', after ', array_to_string(parents, ', ')) END)",
        (("configuration", ("configuration_id",)), ("stage", ("stage_id",))),
        has_run=False,
    ),
    # As it was run last.
    "stage": _Kind(
        "(SELECT DISTINCT ON (stage_id) * FROM stages ORDER BY stage_id, started_at DESC)",
        ("stage_id",),
        "concat(stage, ' of recipe ', recipe, ', key ', substr(key, 1, 8), "
        "CASE WHEN ended_at IS NULL THEN ', not finished' END, ', ', command)",
    ),
    "split": _Kind(
        "splits",
        ("split",),
        "concat(role, ', ', (SELECT count(*) FROM split_members m WHERE m.split = row.split), "
        "' pairs in this store, sha256 ', substr(content_hash, 1, 12), ', recipe ', recipe)",
        (("sources of a split", ("split",)), ("configuration", ("configuration_id",))),
    ),
    "split member": _Kind(
        "split_members",
        ("split", "pair_id"),
        "concat('frozen at tier ', tier, coalesce(', band ' || band, ''))",
        (("split", ("split",)), ("pair", ("pair_id",))),
        has_run=False,
    ),
}
# Kinds whose rows are looked for by a bare id; the others are reached through them.
_ROOTS = tuple(kind for kind in _KINDS if kind not in ("rendered prompt", "split", "split member"))
_HEX = re.compile(r"[0-9a-f]{6,32}")


def trace(connection: duckdb.DuckDBPyConnection, name: str) -> Node:
    """Tree of the row that `name` names.

    `name` is an id or a unique prefix of one (6 hex digits or more), a split, or ``SPLIT/PAIR`` for a member
    of a split. A row that comes up again is shown again without its parents.

    Raises:
        TierwiseError: No such row, or several.
    """
    tracer = _Tracer(connection)
    split, _, pair = name.partition("/")
    if connection.execute("SELECT 1 FROM splits WHERE split = ?", [split]).fetchone():
        return tracer.member(split, pair) if pair else tracer.node("split", (split,))
    prefix = _hex_prefix(name)
    hits = [(kind, row_id) for kind in _ROOTS for row_id in tracer.matching(kind, prefix)]
    if not hits:
        raise TierwiseError(
            f"no row with id {name} in this store; ids stand in every export and in `warehouse sql`"
        )
    if len(hits) > 1:
        listed = ", ".join(f"{kind} {row_id}" for kind, row_id in hits[:4])
        raise TierwiseError(f"{name} is the beginning of several ids ({listed}); give more of it")
    kind, row_id = hits[0]
    return tracer.node(kind, (row_id,))


class _Tracer:
    """Builds the tree of one row."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._seen: set[tuple[str, tuple[Any, ...]]] = set()
        self._runs: dict[uuid.UUID, str | None] = {}

    def matching(
        self, kind: str, prefix: str, where: str = "true", parameters: tuple[Any, ...] = ()
    ) -> list[uuid.UUID]:
        """Up to three ids of `kind` that begin with `prefix`."""
        key = _KINDS[kind].key[-1]
        rows = self._connection.execute(
            f"SELECT DISTINCT {key} FROM {_KINDS[kind].table} WHERE {where} AND {key} BETWEEN ? AND ? "
            "ORDER BY 1 LIMIT 3",
            [*parameters, *id_range(prefix)],
        ).fetchall()
        return [row[0] for row in rows]

    def member(self, split: str, pair: str) -> Node:
        """Tree of the member of `split` whose pair's id begins with `pair`."""
        found = self.matching("split member", _hex_prefix(pair), "split = ?", (split,))
        if not found:
            raise TierwiseError(
                f"split {split} has no pair {pair}; see `python -m curation split show {split}`"
            )
        if len(found) > 1:
            raise TierwiseError(f"{pair} is the beginning of several pairs of {split}; give more of it")
        return self.node("split member", (split, found[0]))

    def node(self, kind: str, key: tuple[Any, ...]) -> Node:
        """Tree of the row of `kind` with `key`."""
        where = " AND ".join(f"{column} = ?" for column in _KINDS[kind].key)
        nodes = self._nodes(kind, where, key)
        return nodes[0] if nodes else Node(kind, "/".join(map(str, key)), "(no longer in the store)")

    def _nodes(self, kind: str, where: str, parameters: tuple[Any, ...], order: str = "ALL") -> list[Node]:
        spec = _KINDS[kind]
        links = [column for _, columns in spec.parents for column in columns]
        selected = ", ".join([spec.text, "run_id" if spec.has_run else "NULL", *spec.key, *links])
        rows = self._connection.execute(
            f"SELECT {selected} FROM {spec.table} AS row WHERE {where} ORDER BY {order}", list(parameters)
        ).fetchall()
        nodes = []
        for text, run_id, *values in rows:
            key = tuple(values[: len(spec.key)])
            node = Node(kind, "/".join(map(str, key)), text, self._run(run_id))
            if (kind, key) not in self._seen:
                self._seen.add((kind, key))
                node.parents = self._parents(spec, values[len(spec.key) :])
            nodes.append(node)
        return nodes

    def _parents(self, spec: _Kind, links: list[Any]) -> list[Node]:
        nodes: list[Node] = []
        for kind, columns in spec.parents:
            key, links = tuple(links[: len(columns)]), links[len(columns) :]
            if kind == "judgments of a pair":
                nodes += self._nodes("judgment", "pair_id = ?", key, "source_file, source_row, judged_at")
            elif kind == "sources of a split":
                nodes += self._sources(key[0])
            elif kind == "rules of a prompt":
                nodes += self._nodes("rule", "list_contains(?, rule_id)", key, "place") if key[0] else []
            elif None not in key:
                nodes.append(self.node(kind, key))
        return nodes

    def _sources(self, split: str) -> list[Node]:
        """What the gold judgments of `split` were read from; `member` has the lines of each."""
        rows = self._connection.execute(
            "SELECT source_file, run_id, source, count(*), min(source_row), max(source_row) FROM judgments SEMI JOIN "
            "(SELECT judgment_id FROM split_members WHERE split = ?) USING (judgment_id) "
            "GROUP BY ALL ORDER BY 4 DESC, 1, 2, 3",
            [split],
        ).fetchall()
        return [
            Node(
                "judgments",
                file or source,
                f"{count:,}" + (f" in lines {first:,} to {last:,}" if file else ""),
                self._run(run_id),
            )
            for file, run_id, source, count, first, last in rows
        ]

    def _run(self, run_id: uuid.UUID | None) -> str | None:
        if run_id is None:
            return None
        if run_id not in self._runs:
            row = self._connection.execute(
                "SELECT concat(kind, ' run ', substr(CAST(run_id AS VARCHAR), 1, 8), ', ', "
                "strftime(started_at, '%Y-%m-%d %H:%M'), ', ', status, ', ', code_version) "
                "FROM runs WHERE run_id = ?",
                [run_id],
            ).fetchone()
            self._runs[run_id] = row[0] if row else None
        return self._runs[run_id]


def _hex_prefix(name: str) -> str:
    digits = name.replace("-", "").lower()
    if not _HEX.fullmatch(digits):
        raise TierwiseError(
            f"{name!r} is neither a split nor an id (6 hex digits or more); see `python -m warehouse status`"
        )
    return digits
