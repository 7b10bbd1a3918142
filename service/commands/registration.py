"""The source that `python -m service sync` syncs: checked, added unless it exists, or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

from marshmallow import ValidationError

from service.characters import is_visible, trim
from service.commands.errors import CommandError
from service.git.names import decode_part, parse_branch, parse_folder, parse_repository_url
from service.routes.quotas import refuse_excess_project, refuse_excess_source
from service.web.bodies import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from service.database.database import Connection, Database
    from service.settings import Settings

NAME_LENGTH: Final = 255
PROJECT_NAME: Final = Text(shortest=1, longest=NAME_LENGTH, is_name=True)


class WantedSource(NamedTuple):
    """The source to sync. Without `project`, the project gets the repository's name."""

    url: str
    folder: str | None
    branch: str | None
    project: str | None


class RegisteredSource(NamedTuple):
    """A source and its project, and whether this command added each of them."""

    project_id: UUID
    project_name: str
    source_id: UUID
    is_new_project: bool
    is_new_source: bool


def check_source(wanted: WantedSource, git_hosts: Sequence[str]) -> WantedSource:
    """Return the source in the form in which it is stored; raises CommandError."""
    try:
        return WantedSource(
            parse_repository_url(wanted.url, git_hosts),
            parse_folder(wanted.folder or ""),
            parse_branch(wanted.branch) if wanted.branch else None,
            PROJECT_NAME.deserialize(wanted.project) if wanted.project else None,
        )
    except ValidationError as error:
        messages = cast("list[str]", error.messages)
        raise CommandError(f"--project: {' '.join(messages)}") from None
    except ValueError as error:
        raise CommandError(str(error)) from None


async def register(
    transaction: Connection, wanted: WantedSource, settings: Settings
) -> RegisteredSource:
    """Return the wanted source and its project, and add each of them unless it exists.

    Raises the Problem `conflict` where a quota allows no more of them.
    """
    name = repository_name(wanted.url)
    project_name = wanted.project or name
    if not await transaction.fetch_value("select 1 from project where name = $1", project_name):
        await refuse_excess_project(transaction, settings.max_projects)
    # The update locks the project's row: a second command at the same time waits here, and then
    # finds the source that the first one has added.
    project = await transaction.fetch_row(
        """
        insert into project (name)
        values ($1)
        on conflict (name) do update set name = excluded.name
        returning id, xmax = 0 as is_new
        """,
        project_name,
    )
    assert project is not None
    project_id = project["id"]
    columns = (project_id, wanted.url, wanted.folder, wanted.branch)
    source_id = await transaction.fetch_value(
        """
        select id
        from project_doc
        where project_id = $1 and github_url = $2
            and github_folder_path is not distinct from $3
            and branch is not distinct from $4
        order by number
        limit 1
        """,
        *columns,
    )
    is_new = source_id is None
    if is_new:
        await refuse_excess_source(transaction, project_id, settings.max_sources_per_project)
        source_id = await transaction.fetch_value(
            """
            insert into project_doc (project_id, github_url, github_folder_path, branch, name)
            values ($1, $2, $3, $4, $5)
            returning id
            """,
            *columns,
            name,
        )
    return RegisteredSource(project_id, project_name, source_id, project["is_new"], is_new)


async def undo_registration(database: Database, registered: RegisteredSource) -> None:
    """Delete the source and the project that this command added, unless others use them by now."""
    if registered.is_new_source:
        await database.execute(
            "delete from project_doc where id = $1 and last_synced_at is null",
            registered.source_id,
        )
    if registered.is_new_project:
        async with database.transaction() as transaction:
            # This waits for transactions that add a source, so that the next statement sees it.
            await transaction.execute(
                "select from project where id = $1 for update", registered.project_id
            )
            await transaction.execute(
                """
                delete from project
                where id = $1 and not exists (select 1 from project_doc where project_id = $1)
                """,
                registered.project_id,
            )


def repository_name(url: str) -> str:
    """Return the last segment of a repository's URL without .git, cut to NAME_LENGTH characters.

    It stays escaped where it would be invisible.
    """
    segment = url.rpartition("/")[2]
    name = trim(decode_part(segment).removesuffix(".git"))
    return (name if is_visible(name) else segment)[:NAME_LENGTH]
