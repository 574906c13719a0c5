"""``python -m annotation users``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.annotation.conftest import served
from tests.annotation.review import Review, record
from tests.warehouse.support import one_line_error

if TYPE_CHECKING:
    from pathlib import Path

    from tests.annotation.conftest import Served


def test_add_list_remove(on_sqlite: Served) -> None:
    added = json.loads(on_sqlite.command("users", "add", "carla", "--json").stdout)
    form = {"username": "carla", "password": added["password"]}
    token = httpx.post(f"{on_sqlite.url}/api/v1/token", data=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    workspaces = httpx.get(f"{on_sqlite.url}/api/v1/me/workspaces", headers=headers).json()["items"]
    assert [workspace["name"] for workspace in workspaces] == ["tierwise"]
    assert on_sqlite.user("carla").password == added["password"]
    assert "there is a user carla already" in one_line_error(on_sqlite.command("users", "add", "carla"))
    listed = json.loads(on_sqlite.command("users", "list", "--json").stdout)
    assert listed == {"owner": "owner", "ann": "annotator", "bob": "annotator", "carla": "annotator"}
    assert on_sqlite.command("users", "remove", "carla").returncode == 0
    assert "carla" not in on_sqlite.home.credentials()
    assert "there is no user carla" in one_line_error(on_sqlite.command("users", "remove", "carla"))
    assert "cannot remove itself" in one_line_error(on_sqlite.command("users", "remove", "owner"))


def test_answers_do_not_go_unnoticed(on_sqlite: Served) -> None:
    added = json.loads(on_sqlite.command("users", "add", "dora", "--json").stdout)
    review = Review(on_sqlite)
    review.log([record("r0", "thing"), record("r1", "thing")])
    form = {"username": "dora", "password": added["password"]}
    token = httpx.post(f"{on_sqlite.url}/api/v1/token", data=form).json()["access_token"]
    for name in ("r0", "r1"):
        url = f"{on_sqlite.url}/api/v1/records/{review.ids[name]}/responses"
        body = {"status": "submitted", "values": {"right": {"value": "yes"}}}
        assert httpx.post(url, json=body, headers={"Authorization": f"Bearer {token}"}).is_success
    error = one_line_error(on_sqlite.command("users", "remove", "dora"))
    assert f"dora has 2 responses in {review.dataset.name}" in error
    assert len(review.find(None, ("right.response", "==", "yes"))) == 2
    done = on_sqlite.command("users", "remove", "dora", "--with-responses", "--json")
    assert json.loads(done.stdout) == {"removed": "dora", "responses_gone": 2}
    review.dataset.delete()


def test_an_argilla_that_the_environment_names(on_sqlite: Served, tmp_path: Path) -> None:
    elsewhere = served(tmp_path)
    key = str(on_sqlite.user("owner").api_key)
    remote = {"ARGILLA_API_URL": on_sqlite.url, "ARGILLA_API_KEY": key}
    added = json.loads(elsewhere.command("users", "add", "eve", "--json", **remote).stdout)
    assert added["kept_in"] == "nowhere else: hand it over now"
    assert not elsewhere.home.path.exists()
    assert elsewhere.command("users", "remove", "eve", **remote).returncode == 0


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "no Argilla is served beside"),
        ({"ARGILLA_API_URL": "URL"}, "ARGILLA_API_KEY is not"),
        ({"ARGILLA_API_URL": "URL", "ARGILLA_API_KEY": "wrong"}, "does not know this API key"),
        (
            {"ARGILLA_API_URL": "http://127.0.0.1:9", "ARGILLA_API_KEY": "x"},
            "no Argilla answers at http://127.0.0.1:9",
        ),
        ({"ARGILLA_API_URL": "nonsense", "ARGILLA_API_KEY": "x"}, "no Argilla answers at nonsense"),
    ],
)
def test_no_connection(on_sqlite: Served, tmp_path: Path, env: dict[str, str], said: str) -> None:
    named = {name: on_sqlite.url if value == "URL" else value for name, value in env.items()}
    assert said in one_line_error(served(tmp_path).command("users", "list", **named))
