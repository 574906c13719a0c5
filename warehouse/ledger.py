"""The ledger of runs: one row for every command that writes."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from warehouse.errors import TierwiseError
from warehouse.version import code_version

if TYPE_CHECKING:
    import duckdb

Status = Literal["running", "finished", "failed", "interrupted"]

STAGE_VARIABLE = "TIERWISE_STAGE"
"""Environment variable by which a recipe tells a command which of its stages it is."""


def utc_now() -> datetime:
    """Now in UTC, without zone, as the store keeps times."""
    return datetime.now(UTC).replace(tzinfo=None)


def _stage_id() -> uuid.UUID | None:
    text = os.environ.get(STAGE_VARIABLE)
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        raise TierwiseError(
            f"{STAGE_VARIABLE} is {text!r}, no id of a stage; recipes set it, so unset it"
        ) from None


@dataclass(slots=True)
class Run:
    """A row of ``runs``. `summary` is filled by the command: what it wrote, in counts.

    A command that goes on with what an interrupted one began keeps its run: it loads the row and calls `resume`.
    """

    kind: str
    parameters: dict[str, Any]
    model_id: uuid.UUID | None = None
    configuration_id: uuid.UUID | None = None
    parents: tuple[uuid.UUID, ...] = ()
    run_id: uuid.UUID = field(default_factory=uuid.uuid4)
    status: Status = "running"
    started_at: datetime = field(default_factory=utc_now)
    ended_at: datetime | None = None
    resumed_at: tuple[datetime, ...] = ()
    code_version: str = field(default_factory=code_version)
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    summary: dict[str, Any] = field(default_factory=dict)
    stage_id: uuid.UUID | None = field(default_factory=_stage_id)

    def end(self, status: Status) -> None:
        """Mark the run as over, now."""
        self.status, self.ended_at = status, utc_now()

    def resume(self) -> None:
        """Mark the run as going on, now, in this process."""
        self.status, self.ended_at = "running", None
        self.resumed_at = (*self.resumed_at, utc_now())
        self.host, self.pid = socket.gethostname(), os.getpid()

    def to_json(self) -> str:
        """JSON object of all fields, ids and times as text."""
        return json.dumps(dataclasses.asdict(self), default=str, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Run:
        """Inverse of `to_json`."""
        fields = json.loads(text)
        # What an older version wrote has no stage, and is none of the stage that reads it.
        fields.setdefault("stage_id", None)
        for name in ("run_id", "model_id", "configuration_id", "stage_id"):
            fields[name] = fields[name] and uuid.UUID(fields[name])
        for name in ("started_at", "ended_at"):
            fields[name] = fields[name] and datetime.fromisoformat(fields[name])
        fields["resumed_at"] = tuple(map(datetime.fromisoformat, fields.get("resumed_at", ())))
        fields["parents"] = tuple(uuid.UUID(parent) for parent in fields["parents"])
        return cls(**fields)

    def save(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Insert or replace the row.

        A run that has ended is set back to running by a resumption alone, and what an earlier process left of it
        changes nothing any more.
        """
        connection.execute(
            """
            MERGE INTO runs USING (SELECT
                $run_id::UUID AS run_id, $kind AS kind, $status AS status, $parameters::JSON AS parameters,
                $code_version AS code_version, $model_id::UUID AS model_id,
                $configuration_id::UUID AS configuration_id, $parents::UUID[] AS parents,
                $started_at::TIMESTAMP AS started_at, $ended_at::TIMESTAMP AS ended_at,
                $resumed_at::TIMESTAMP[] AS resumed_at, $host AS host,
                $pid::INTEGER AS pid, $summary::JSON AS summary, $stage_id::UUID AS stage_id) AS new USING (run_id)
            WHEN MATCHED AND (coalesce(len(new.resumed_at), 0) > coalesce(len(runs.resumed_at), 0)
                OR new.ended_at IS NOT NULL AND coalesce(len(new.resumed_at), 0) = coalesce(len(runs.resumed_at), 0))
            THEN UPDATE SET status = new.status, ended_at = new.ended_at, resumed_at = new.resumed_at,
                host = new.host, pid = new.pid, summary = new.summary
            WHEN NOT MATCHED THEN INSERT BY NAME
            """,
            {
                **dataclasses.asdict(self),
                "parameters": _strict_json(self.parameters),
                "summary": _strict_json(self.summary),
                "resumed_at": list(self.resumed_at) or None,
                "parents": [str(parent) for parent in self.parents],
            },
        )


def _strict_json(value: dict[str, Any]) -> str:
    """JSON that DuckDB takes: NaN and infinities become null, bytes of undecodable paths become "?"."""
    text = json.dumps(value, default=str, ensure_ascii=False).encode(errors="replace").decode()
    return json.dumps(json.loads(text, parse_constant=lambda _: None), ensure_ascii=False)
