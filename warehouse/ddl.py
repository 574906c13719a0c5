"""Declared tables and views, and the SQL that makes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `references` names the table whose key its values are."""

    name: str
    type: str
    comment: str
    references: str | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its identifying columns."""

    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def type_of(self, column: str) -> str:
        """SQL type of `column`."""
        return next(c.type for c in self.columns if c.name == column)

    def ddl(self) -> list[str]:
        """CREATE TABLE and COMMENT ON statements."""
        lines = ", ".join(f"{c.name} {c.type}{' NOT NULL' if c.required else ''}" for c in self.columns)
        comments = [f"COMMENT ON TABLE {self.name} IS {_quote(self.comment)}"]
        comments += [f"COMMENT ON COLUMN {self.name}.{c.name} IS {_quote(c.comment)}" for c in self.columns]
        return [f"CREATE TABLE {self.name} ({lines})", *comments]


@dataclass(frozen=True, slots=True)
class View:
    """A public view; `columns` comments what is not a column of a table under the same name."""

    name: str
    comment: str
    query: str
    columns: tuple[tuple[str, str], ...] = ()

    def ddl(self) -> list[str]:
        """CREATE VIEW and COMMENT ON statements."""
        comments = [f"COMMENT ON VIEW {self.name} IS {_quote(self.comment)}"]
        comments += [
            f"COMMENT ON COLUMN {self.name}.{name} IS {_quote(comment)}" for name, comment in self.columns
        ]
        return [f"CREATE OR REPLACE VIEW {self.name} AS {self.query}", *comments]


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
