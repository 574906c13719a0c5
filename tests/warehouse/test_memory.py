"""A memory limit that the user sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from warehouse.store import Store


@pytest.mark.parametrize(("text", "shown"), [("1GiB", "1.0 GiB"), ("512 mib", "512.0 MiB")])
def test_the_limit_reaches_duckdb(
    text: str, shown: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIERWISE_MEMORY", text)
    with store.read() as connection:
        assert connection.execute("SELECT current_setting('memory_limit')").fetchall() == [(shown,)]


def test_without_one_most_of_a_large_machine_is_left_to_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIERWISE_MEMORY", raising=False)
    with store.read() as connection:
        assert connection.execute("SELECT current_setting('memory_limit')").fetchall() == [("2.7 GiB",)]


@pytest.mark.parametrize("text", ["", "lots", "-1GB", "80%", "4"])
def test_what_is_no_size_is_told(text: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERWISE_MEMORY", text)
    with pytest.raises(TierwiseError, match=r"TIERWISE_MEMORY is .*; give a size such as 4GB"), store.read():
        pass
