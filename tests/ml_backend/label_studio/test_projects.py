"""Projects are found by their titles, and made once."""

import pytest

from label_config.labeling_config import build_config
from ml_backend.label_studio.client import ReviewServer
from projection.errors import ServerError
from tests.ml_backend.label_studio.studio import Fault, Studio

CONFIG = build_config(("PER", "LOC"))


@pytest.mark.parametrize(
    "title", ["News", " News", "News ", "\tNews\r\n", "News\u00a0", "\u3000News"]
)
def test_blanks_at_the_ends_of_a_title_make_no_other_project(
    studio: Studio, server: ReviewServer, title: str
) -> None:
    first = server.ensure_project("News", CONFIG)
    assert server.ensure_project(title, CONFIG).id == first.id
    assert server.existing_project(title).title == "News"
    assert len(studio.held.projects) == 1


def test_a_project_that_is_not_there_or_not_for_this_key_is_not_known(
    studio: Studio, server: ReviewServer
) -> None:
    made = server.ensure_project("News", CONFIG)
    assert server.project_if_known(made.id) == made
    assert server.project_if_known(made.id + 1) is None
    studio.fault = Fault("500", "GET /api/projects/N")
    with pytest.raises(ServerError, match="Label Studio answered 500"):
        server.project_if_known(made.id)


def test_a_title_of_blanks_is_too_short(server: ReviewServer) -> None:
    with pytest.raises(ServerError, match=r"2 characters\. Use 3 to 50"):
        server.ensure_project("  ab      ", CONFIG)


def test_another_title_is_another_project(studio: Studio, server: ReviewServer) -> None:
    for title in ("News", "News de", "news"):
        server.ensure_project(title, CONFIG)
    assert len(studio.held.projects) == 3


@pytest.mark.parametrize("theirs_first", [True, False])
def test_two_commands_that_make_a_project_at_the_same_time_share_the_older_one(
    studio: Studio, server: ReviewServer, theirs_first: bool
) -> None:
    def other(call: str) -> None:
        if call == ("POST /api/projects" if theirs_first else "GET /api/projects") and (
            theirs_first or studio.held.projects
        ):
            studio.before = lambda _: None
            studio.add_project("News", CONFIG, [], "")

    studio.before = other
    made = server.ensure_project("News", CONFIG)

    assert made.id == min(studio.held.projects | {made.id: {}})
    assert len(studio.held.projects) == (1 if theirs_first else 2)


def test_projects_of_one_title_are_named(studio: Studio, server: ReviewServer) -> None:
    for title in ("News", " News"):
        studio.add_project(title, CONFIG, [], "")
    with pytest.raises(ServerError, match=r"is the title of projects 1, 2\. Rename one"):
        server.find_project("News")


@pytest.mark.parametrize("kind", ["{}", "null", "html"])
def test_no_project_is_made_where_the_list_cannot_be_read(
    studio: Studio, server: ReviewServer, kind: str
) -> None:
    studio.fault = Fault(kind, "GET /api/projects")
    with pytest.raises(ServerError, match="answered"):
        server.ensure_project("News", CONFIG)
    assert not studio.held.projects
