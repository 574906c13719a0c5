"""What a text's writer was given, as the store has it: the item version and the prompt that it was asked with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curation.checks.checked_text import CheckedText
from curation.checks.text_checks import check_text
from curation.checks.vocabulary import stored_vocabulary
from curation.rulebook.stored import stored_rulebook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from curation.checks.finding import Finding
    from curation.checks.vocabulary import Vocabulary
    from curation.rulebook.rule import Rulebook

GIVEN_COLUMNS = """
    t.purpose IN ('rationales', 'rationales-for-gold') AS steps_asked, q.text AS query, q.kind, q.locale, v.title,
    v.description, v.brand, CAST(v.attributes AS VARCHAR) AS attributes, coalesce(b.rulebook, k.rulebook) AS rulebook,
    coalesce(b.version, k.version) AS version, b.shown
"""
"""SQL: what `Checker` reads of a row of `x`, besides its text, form, tier and whether it is finished."""

TAUGHT_UNDER = """
    SELECT split, rulebook, version FROM (
        SELECT m.split, u.rulebook, u.version, count(*) AS rationales FROM split_completions m
        JOIN rationales a ON a.rationale_id = m.rationale_id
        JOIN samples s ON s.sample_id = coalesce(a.sample_id, a.corrects_sample_id)
        JOIN rendered_prompts w ON w.pair_id = s.pair_id AND w.prompt_hash = s.prompt_hash
        JOIN rules u ON u.rule_id = w.rule_ids[1] GROUP BY ALL
    ) QUALIFY row_number() OVER (PARTITION BY split ORDER BY rationales DESC, rulebook, version DESC) = 1
"""
"""SQL: the rulebook that most rationales of each split were written under; no row where none was."""

LEARNT_UNDER = f"""
    WITH RECURSIVE taught AS ({TAUGHT_UNDER}),
    line AS (
        SELECT model_id, split, parent_id, 0 AS generation FROM models UNION ALL
        SELECT l.model_id, m.split, m.parent_id, l.generation + 1 FROM line l JOIN models m ON m.model_id = l.parent_id
    )
    SELECT model_id, rulebook, version FROM line JOIN taught USING (split)
    QUALIFY row_number() OVER (PARTITION BY model_id ORDER BY generation) = 1
"""
"""SQL: the rulebook of the rationales that each model learnt from, or the nearest one that it was trained from."""

GIVEN_JOINS = """
    JOIN rendered_prompts r ON r.pair_id = x.pair_id AND r.prompt_hash = x.prompt_hash
    JOIN prompts t ON t.prompt_id = r.prompt_id
    JOIN pairs p ON p.pair_id = x.pair_id JOIN queries q ON q.query_id = p.query_id
    JOIN item_versions v ON v.item_version_id = r.item_version_id
    LEFT JOIN (
        SELECT pair_id, prompt_hash, any_value(rulebook) AS rulebook, any_value(version) AS version, list(rule) AS shown
        FROM (SELECT pair_id, prompt_hash, unnest(rule_ids) AS rule_id FROM rendered_prompts)
        JOIN rules USING (rule_id) GROUP BY ALL
    ) b ON b.pair_id = x.pair_id AND b.prompt_hash = x.prompt_hash
    LEFT JOIN ({learnt}) k ON k.{of} = x.{of}
"""
"""SQL: where they come from, by the pair_id and prompt_hash of `x`. A prompt that models judge by shows no rules; the
rulebook is then the one that `learnt` has for the `of` of `x`, and any of its rules may be cited."""


@dataclass(frozen=True, slots=True)
class Checker:
    """What a process needs to check texts.

    Attributes:
        vocabulary: The catalogue's words.
        rulebooks: Every version, by name and version.
    """

    vocabulary: Vocabulary
    rulebooks: Mapping[tuple[str, int], Rulebook]

    def check(self, rows: Sequence[Mapping[str, Any]]) -> list[list[Finding]]:
        """Findings of each text: of rows with text, form, tier, finished and what `GIVEN_COLUMNS` selects."""
        return [check_text(self._text(row), self.vocabulary) for row in rows]

    def _text(self, row: Mapping[str, Any]) -> CheckedText:
        rulebook = self.rulebooks.get((row["rulebook"], row["version"]))
        attributes = json.loads(row["attributes"] or "{}")
        return CheckedText(
            text=row["text"],
            form=row["form"],
            tier=row["tier"],
            query=row["query"],
            title=row["title"],
            description=row["description"] or "",
            brand=row["brand"] or "",
            attributes={str(name): str(value) for name, value in attributes.items() if value is not None},
            kind=row["kind"],
            locale=row["locale"],
            steps_asked=bool(row["steps_asked"]),
            finished=row["finished"],
            rulebook=rulebook,
            shown=frozenset(row["shown"] or ()),
        )


def stored_checker(connection: duckdb.DuckDBPyConnection) -> Checker:
    """A checker with the vocabulary and the rulebooks of a store."""
    versions = connection.execute("SELECT rulebook, version FROM rulebooks").fetchall()
    return Checker(
        stored_vocabulary(connection),
        {(name, version): stored_rulebook(connection, name, version) for name, version in versions},
    )
