"""Predictors: whatever gives tier probabilities, by name and by content."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from warehouse.errors import TierwiseError
from warehouse.ids import content_id, is_prefix

if TYPE_CHECKING:
    import uuid

    import duckdb

Kind = Literal["model", "baseline", "file", "calibrated"]


@dataclass(frozen=True)
class Predictor:
    """Who predicts.

    Attributes:
        name: What commands call it.
        kind: What it is.
        configuration_id: Model, prompt and decoding of a model.
        calibrates_id: What a calibrated one stands on.
        parameters: What else makes it this one.
    """

    name: str
    kind: Kind
    configuration_id: uuid.UUID | None = None
    calibrates_id: uuid.UUID | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def predictor_id(self) -> uuid.UUID:
        """Id in ``predictors``."""
        return content_id(
            "predictor",
            self.name,
            self.kind,
            self.configuration_id,
            self.calibrates_id,
            self._parameters_json,
        )

    @property
    def _parameters_json(self) -> str:
        return json.dumps(self.parameters, sort_keys=True)

    def row(self, run_id: uuid.UUID) -> dict[str, Any]:
        """Row of ``predictors``."""
        return {
            "predictor_id": str(self.predictor_id),
            "name": self.name,
            "kind": self.kind,
            "configuration_id": self.configuration_id and str(self.configuration_id),
            "calibrates_id": self.calibrates_id and str(self.calibrates_id),
            "parameters": self._parameters_json,
            "run_id": str(run_id),
        }


def find_predictor(connection: duckdb.DuckDBPyConnection, name: str, split: str | None = None) -> Predictor:
    """The predictor called `name`, or whose id begins so.

    Where several share the name, one that predicted `split` is meant, and of calibrated ones the newest.

    Raises:
        TierwiseError: None, or several; the message lists what there is.
    """
    rows = connection.execute(
        "SELECT p.name, p.kind, p.configuration_id, p.calibrates_id, p.parameters FROM predictors p "
        "JOIN runs USING (run_id) WHERE p.name = $name OR ($is_prefix AND "
        "starts_with(replace(CAST(p.predictor_id AS VARCHAR), '-', ''), replace(lower($name), '-', ''))) "
        "ORDER BY started_at DESC, p.predictor_id",
        {"name": name, "is_prefix": is_prefix(name)},
    ).fetchall()
    found = [_predictor(row) for row in rows]
    if len(found) > 1 and split is not None:
        there = {
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT predictor_id FROM predictions SEMI JOIN "
                "(SELECT pair_id FROM split_members WHERE split = ?) USING (pair_id)",
                [split],
            ).fetchall()
        }
        found = [predictor for predictor in found if predictor.predictor_id in there] or found
    if len(found) == 1 or (found and all(predictor.kind == "calibrated" for predictor in found)):
        return found[0]
    if found:
        ids = ", ".join(f"{str(other.predictor_id)[:8]} ({other.kind})" for other in found)
        raise TierwiseError(f"{len(found)} predictors are called {name}; name one by its id: {ids}")
    known = [r[0] for r in connection.execute("SELECT DISTINCT name FROM predictors ORDER BY 1").fetchall()]
    raise TierwiseError(
        f"no predictor {name!r}; "
        + (f"there are {', '.join(known)}" if known else "there is none yet: `python -m eval predict`")
    )


def base_predictor(
    connection: duckdb.DuckDBPyConnection, predictor: Predictor
) -> tuple[Predictor, list[str]]:
    """What a calibrated predictor stands on in the end, and the splits that it was fitted on on the way there.

    Any other is its own base.
    """
    fitted_on = []
    while predictor.calibrates_id is not None:
        fitted_on.append(str(predictor.parameters["fit_split"]))
        predictor = find_predictor(connection, str(predictor.calibrates_id))
    return predictor, fitted_on


def require_name(connection: duckdb.DuckDBPyConnection, predictor: Predictor) -> None:
    """Check that commands can take the name of `predictor`.

    Raises:
        TierwiseError: It is empty, not printable, or looks like an id; or a predictor of another kind has it.
    """
    name = predictor.name
    if not name.strip() or not name.isprintable() or is_prefix(name):
        raise TierwiseError(
            f"a predictor cannot be called {name!r}: give --name with printable characters that are no id"
        )
    taken = connection.execute(
        "SELECT DISTINCT kind FROM predictors WHERE name = ? AND kind <> ?", [name, predictor.kind]
    ).fetchall()
    if taken:
        raise TierwiseError(f"{name} is the name of a {taken[0][0]} already; give another with --name")


def _predictor(row: tuple[Any, ...]) -> Predictor:
    name, kind, configuration_id, calibrates_id, parameters = row
    return Predictor(name, kind, configuration_id, calibrates_id, json.loads(parameters))
