"""The SQL of a source as JSON, which the routes of sources share."""

from typing import Final, LiteralString

from service.sync.queue import is_due

COLUMNS: Final[LiteralString] = """
    id, project_id, name, description, github_url, github_folder_path, branch, default_branch,
    last_synced_at, last_github_commit_date, last_commit, created_at, updated_at
    """

RUN: Final[LiteralString] = """
    json_build_object('id', id, 'status', status, 'error', error, 'warning', warning,
                      'created_at', created_at, 'finished_at', finished_at)
    """

# The latest run of the source in `project_doc`, or null: the running one, or else the queued one,
# or else the last. A run that looks later for a pushed commit says nothing before that. Each part
# reads a row or two of an index.
LAST_RUN: Final[LiteralString] = f"""
    coalesce(
        (select {RUN} from sync_run where project_doc_id = project_doc.id and status = 'running'),
        (select {RUN} from sync_run
         where project_doc_id = project_doc.id and status = 'queued' and {is_due()}),
        (select {RUN} from sync_run
         where project_doc_id = project_doc.id and finished_at is not null
         order by number desc
         limit 1)
    ) as last_run
    """

# A row of `project_doc` as ProjectDocSchema has it.
SOURCE_JSON: Final[LiteralString] = (
    f"row_to_json((select item from (select {COLUMNS}, {LAST_RUN}) as item))::text"
)
