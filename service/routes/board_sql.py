"""SQL that several routes of stories, epics and progress share."""

from __future__ import annotations

from typing import Final, LiteralString

from service.bmad.problem_kinds import SEVERITIES
from service.bmad.readings import STATUSES
from service.sync.queue import is_due

# What is counted of stories: each status, and those in review whose status is "built".
_COUNTED: Final[tuple[LiteralString, ...]] = (*STATUSES, "built")

# The columns `draft`, `approved` and so on, of rows that have them.
COUNTED: Final[LiteralString] = ", ".join(_COUNTED)

# These columns: how many rows of `story` have each status.
COUNT_STATUSES: Final[LiteralString] = ", ".join(
    (
        *(f"count(*) filter (where status = '{status}') as {status}" for status in STATUSES),
        "count(*) filter (where status = 'review' and (item ->> 'is_built')::boolean) as built",
    )
)

# Their sums.
SUM_STATUSES: Final[LiteralString] = ", ".join(f"sum({name}) as {name}" for name in _COUNTED)

# Their sums from the counts in `source_progress.stories`.
SUM_SOURCES: Final[LiteralString] = ", ".join(
    f"sum((stories ->> '{name}')::bigint) as {name}" for name in _COUNTED
)

_TOTAL: Final[LiteralString] = " + ".join(f"coalesce({status}, 0)" for status in STATUSES)
_BY_STATUS: Final[LiteralString] = ", ".join(
    f"'{status}', coalesce({status}, 0)" for status in STATUSES
)

# JSON of a row with these columns: how many stories, how many of each status, how many of those in
# review are built, and the done share of those that are not cancelled. The columns may be null
# where nothing was counted.
STORY_FIGURES: Final[LiteralString] = f"""
    jsonb_build_object(
        'stories_total', {_TOTAL},
        'stories_by_status', jsonb_build_object({_BY_STATUS}),
        'stories_built', coalesce(built, 0),
        'share_done',
        coalesce(done, 0)::float8 / nullif({_TOTAL} - coalesce(cancelled, 0), 0)
    )
    """

# Of a row of `problem`: whether it is a problem today, as a gate is one once it has expired.
HAS_APPEARED: Final[LiteralString] = """
    (appears_on is null or appears_on <= (now() at time zone 'UTC')::date)
    """

# Those that have appeared since the last sync, which `source_progress.problems` does not count.
JOIN_APPEARED: Final[LiteralString] = f"""
    left join lateral (
        select count(*) filter (where severity = 'error') as appeared_error,
               count(*) filter (where severity = 'warning') as appeared_warning,
               count(*) filter (where severity = 'info') as appeared_info
        from problem
        where problem.project_doc_id = source_progress.project_doc_id
            and appears_on is not null and {HAS_APPEARED}
    ) as appeared on true
    """

# The columns `errors`, `warnings` and `infos`, from the rows of `source_progress` with these.
SUM_PROBLEMS: Final[LiteralString] = ", ".join(
    f"sum(coalesce((problems ->> '{severity}')::bigint, 0) + appeared_{severity})::bigint "
    f"as {severity}s"
    for severity in SEVERITIES
)

# Of a row of `project`: a text that changes whenever the API says anything else of the project, its
# sources, their documents or their work. A run writes these and its own end in one transaction, and
# some change with the day, such as gates that expire.
VERSION: Final[LiteralString] = f"""
    concat_ws(
        ' ', project, (now() at time zone 'UTC')::date,
        (
            select string_agg(concat_ws(' ', source, runs), ' ' order by source.number)
            from project_doc as source
            cross join lateral (
                -- The running one, the queued one and the last that has ended.
                select string_agg(concat_ws(' ', id, status, {is_due("run")}), ' ') as runs
                from (
                    select *
                    from sync_run
                    where project_doc_id = source.id
                    order by number desc
                    limit 3
                ) as run
            ) as runs
            where project_id = project.id
        )
    )
    """

# JSON of the source of a row that has its id and name as `source_id` and `source_name`.
SOURCE: Final[LiteralString] = "jsonb_build_object('id', source_id, 'name', source_name)"

# JSON of a row of `activity` with these columns.
ACTIVITY: Final[LiteralString] = f"""
    jsonb_build_object(
        'run_id', run_id,
        'source', {SOURCE},
        'at', at, 'commit_id', commit_id, 'committed_at', committed_at,
        'added', added, 'changed', changed, 'moved', moved, 'removed', removed,
        'documents', documents, 'statuses', statuses
    )
    """


def done_at_cut(source_id: LiteralString) -> LiteralString:
    """Return SQL of how many stories of a source were done on the first day of a cut history.

    Null where the history is whole. They may have been done on any day before, so that none of them
    counts as done on that day. `source_id` is an expression.
    """
    return f"""(
        select done
        from work_history
        join burnup_day using (project_doc_id)
        where project_doc_id = {source_id} and is_cut
        order by day
        limit 1
    )"""


def is_in_tree(tree: LiteralString) -> LiteralString:
    """Return SQL of whether a row of `story` or `epic` is in a tree; true where that is null.

    `tree` is a parameter. The places of a tree's rows begin with it, and the index has them in
    order; a folder's name may have the tab that ends it.
    """
    return f"""(
        {tree}::text is null
        or place > {tree} || E'\\t' and place < {tree} || E'\\n' and item ->> 'tree' = {tree}
    )"""


def find_document(path: LiteralString) -> LiteralString:
    """Return SQL of the id of the document at a path in the source `source_id`; null without one.

    `path` is an expression.
    """
    return f"""(
        select id
        from document
        where project_doc_id = source_id and document.file_path = {path}
    )"""


def add_document_ids(places: LiteralString) -> LiteralString:
    """Return SQL of a JSON array whose objects have the `document_id` of their `path` as well.

    `places` is an expression of such an array, of rows with `source_id`. The path is null where an
    object has none.
    """
    return f"""(
        select coalesce(
            jsonb_agg(
                place || jsonb_build_object(
                    'path', place -> 'path',
                    'document_id', {find_document("place ->> 'path'")}
                )
                order by position
            ),
            '[]'
        )
        from jsonb_array_elements({places}) with ordinality as places (place, position)
    )"""


# JSON of a row of `story` with the columns of SOURCE. What an older version of the service has
# stored stays until the next run that changes documents: it has no `is_built` and no `tree`.
STORY: Final[LiteralString] = f"""
    (
        '{{"is_built": false, "tree": null}}' || item || jsonb_build_object(
            'document_id', {find_document("found.file_path")},
            'source', {SOURCE},
            'status_evidence', {add_document_ids("item -> 'status_evidence'")},
            'gate', case when item -> 'gate' <> 'null' then item -> 'gate' || jsonb_build_object(
                'document', item -> 'gate' -> 'document' || jsonb_build_object(
                    'document_id', {find_document("item -> 'gate' -> 'document' ->> 'path'")}
                )
            ) end,
            'waits_for', {add_document_ids("item -> 'waits_for'")},
            'last_changed_at', changed_at, 'since', status_since
        )
    )
    """
