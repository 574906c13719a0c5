"""Sampling configurations: what samples, pass@k and difficulty belong to."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from curation.prompts import prompt_row
from warehouse.errors import TierwiseError
from warehouse.ids import content_id

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    import duckdb

    from curation.backends import Decoding
    from curation.grading import Format
    from curation.models import ModelReference, ServedModel
    from curation.prompts import Template


def model_id(model: ModelReference | ServedModel) -> uuid.UUID:
    """Id in ``models``: the content of the model's files."""
    return content_id("model", model.digest)


def model_row(model: ModelReference | ServedModel) -> dict[str, str]:
    """Row of ``models``, without its run."""
    return {
        "model_id": str(model_id(model)),
        "name": model.name,
        "digest": model.digest,
        "path": model.place,
    }


@dataclass(frozen=True)
class Configuration:
    """A model, a prompt template, and how to decode."""

    model: ModelReference | ServedModel
    template: Template
    decoding: Decoding

    @cached_property
    def model_id(self) -> uuid.UUID:
        """Id in ``models``."""
        return model_id(self.model)

    @cached_property
    def configuration_id(self) -> uuid.UUID:
        """Id in ``configurations``."""
        return content_id("configuration", self.model_id, self.template.prompt_id, self._decoding_json)

    @property
    def _decoding_json(self) -> str:
        return json.dumps(asdict(self.decoding), sort_keys=True)

    def rows(self, run_id: uuid.UUID) -> Iterator[tuple[str, dict[str, Any]]]:
        """Rows of ``models``, ``prompts`` and ``configurations``."""
        run = {"run_id": str(run_id)}
        yield "models", {**model_row(self.model), **run}
        yield "prompts", prompt_row(self.template, str(run_id))
        yield (
            "configurations",
            {
                "configuration_id": str(self.configuration_id),
                "model_id": str(self.model_id),
                "prompt_id": str(self.template.prompt_id),
                "decoding": self._decoding_json,
                **run,
            },
        )


@dataclass(frozen=True, slots=True)
class ConfigurationInStore:
    """A configuration, with words for a summary line."""

    configuration_id: str
    text: str
    format: Format
    purpose: str


def pick_configuration(
    connection: duckdb.DuckDBPyConnection, prefix: str | None, *, teachers: bool = False
) -> ConfigurationInStore:
    """The configuration whose id begins with `prefix`; without one, that of the newest finished sampling run.

    Args:
        connection: Of the store.
        prefix: The beginning of an id.
        teachers: Whether it may be that of a teacher of rationales, whose prompts show rules or even the gold tier.

    Raises:
        TierwiseError: None, several, or a teacher's.
    """
    chosen = (
        "configuration_id = (SELECT configuration_id FROM newest_configuration)"
        if prefix is None
        else "starts_with(CAST(configuration_id AS VARCHAR), $prefix)"
    )
    rows = connection.execute(
        "SELECT CAST(configuration_id AS VARCHAR), m.name, t.name, t.format, c.decoding, "
        "coalesce(t.purpose, 'judgments') "
        "FROM configurations c JOIN models m USING (model_id) JOIN prompts t USING (prompt_id) "
        f"WHERE {chosen} ORDER BY 1",
        {} if prefix is None else {"prefix": prefix.lower()},
    ).fetchall()
    if not rows:
        raise TierwiseError(
            "no finished sampling run in this store; run `python -m curation sample --n 8`"
            if prefix is None
            else f'no configuration {prefix}; see `python -m warehouse sql "FROM configurations"`'
        )
    if len(rows) > 1:
        raise TierwiseError(f"{prefix} is the beginning of {len(rows)} configurations; give more of it")
    configuration_id, model, prompt, form, decoding, purpose = rows[0]
    if purpose == "continuations":
        raise TierwiseError(
            f"{prefix} is the configuration of continuations; name that of the samples which they continue"
        )
    if purpose != "judgments" and not teachers:
        raise TierwiseError(
            f"{prefix} is the configuration of a teacher, which judges nothing by itself; `split create --rationales "
            f"{shlex.quote(model)}` takes what it wrote"
        )
    return ConfigurationInStore(
        configuration_id, f"{configuration_id[:8]} ({model}, {prompt}, {decoding})", form, purpose
    )
