"""Declared tables, macros and views, and the SQL that makes them."""

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
    """A table with its identifying columns.

    `later` names columns that a row with a known key still fills, where they are NULL.
    """

    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    later: tuple[str, ...] = ()

    def type_of(self, column: str) -> str:
        """SQL type of `column`."""
        return next(c.type for c in self.columns if c.name == column)

    def ddl(self) -> list[str]:
        """CREATE TABLE and COMMENT ON statements."""
        lines = ", ".join(f"{c.name} {c.type}{' NOT NULL' if c.required else ''}" for c in self.columns)
        return [f"CREATE TABLE {self.name} ({lines})", *self.comments()]

    def comments(self) -> list[str]:
        """COMMENT ON statements."""
        columns = [comment_on("COLUMN", f"{self.name}.{c.name}", c.comment) for c in self.columns]
        return [comment_on("TABLE", self.name, self.comment), *columns]


@dataclass(frozen=True, slots=True)
class Macro:
    """A public SQL function."""

    name: str
    parameters: tuple[str, ...]
    comment: str
    expression: str

    def ddl(self) -> list[str]:
        """CREATE MACRO and COMMENT ON statements."""
        return [self.create(), *self.comments()]

    def create(self) -> str:
        """CREATE MACRO statement."""
        return f"CREATE OR REPLACE MACRO {self.name}({', '.join(self.parameters)}) AS {self.expression}"

    @property
    def described(self) -> str:
        """The macro's comment, which says how it is called."""
        return f"{self.name}({', '.join(self.parameters)}): {self.comment}"

    def comments(self) -> list[str]:
        """COMMENT ON statements."""
        return [comment_on("MACRO", self.name, self.described)]


@dataclass(frozen=True, slots=True)
class View:
    """A public view; `columns` are names and comments."""

    name: str
    comment: str
    query: str
    columns: tuple[tuple[str, str], ...]

    def ddl(self) -> list[str]:
        """CREATE VIEW and COMMENT ON statements."""
        return [self.create(), *self.comments()]

    def create(self) -> str:
        """CREATE VIEW statement."""
        return f"CREATE OR REPLACE VIEW {self.name} AS {self.query}"

    def comments(self) -> list[str]:
        """COMMENT ON statements."""
        columns = [comment_on("COLUMN", f"{self.name}.{name}", comment) for name, comment in self.columns]
        return [comment_on("VIEW", self.name, self.comment), *columns]


def comment_on(kind: str, name: str, comment: str) -> str:
    """COMMENT ON statement; `name` is SQL, `comment` any text."""
    return f"COMMENT ON {kind} {name} IS {sql_text(comment)}"


def sql_text(text: object) -> str:
    """SQL literal of `text`, for statements that take no parameters: DDL, COPY, EXPORT."""
    return "'" + str(text).replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """SQL identifier `name`, quoted."""
    return '"' + name.replace('"', '""') + '"'
