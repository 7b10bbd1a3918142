-- What the documents of a source say of the work, and the stories, epics and problems that the
-- service makes of it (service/bmad). Sources that were synced before get theirs at the next sync.

-- What the document says: service/bmad/readings.py. Null where it says nothing of the work.
alter table document add column reading jsonb;

-- In each of these three tables, `place` is the order of the rows of a source, and names the row:
-- service/sync/board_rows.py. `digest` is that of the row, so that a run writes only rows that differ.
-- `item` is the JSON that the API shows.
create table story (
    project_doc_id uuid not null,
    -- In build order.
    place text collate "C" not null,
    -- Names the story while its place changes, as where it gets another number: the path of its file,
    -- or the tracker's path and key.
    key text not null,
    -- The place of its epic; null without one.
    epic_place text collate "C",
    -- The id of its epic in the form in which such ids are compared; empty without one.
    epic text not null,
    -- As it is written; empty without one.
    id text not null,
    title text not null,
    status text not null,
    -- Archived stories are shown, and not counted.
    is_archived boolean not null,
    -- Of its file, from the repository's root; null for one that only a tracker names.
    file_path text collate "C",
    item jsonb not null,
    digest bytea not null,
    primary key (project_doc_id, place)
);

create table epic (
    project_doc_id uuid not null,
    place text collate "C" not null,
    id text not null,
    item jsonb not null,
    digest bytea not null,
    primary key (project_doc_id, place)
);

create table problem (
    project_doc_id uuid not null,
    place text collate "C" not null,
    kind text not null,
    -- error, warning or info.
    severity text not null,
    file_path text collate "C",
    -- The day from which on it is one, as when a gate expires; null for now.
    appears_on date,
    item jsonb not null,
    digest bytea not null,
    primary key (project_doc_id, place)
);

create index problem_to_appear on problem (project_doc_id, appears_on)
where appears_on is not null;

-- The numbers of a source, for the overview: what counting its rows would give.
create table source_progress (
    project_doc_id uuid primary key,
    documents bigint not null,
    -- {"done": 12, …}, without archived stories.
    stories jsonb not null,
    -- {"warning": 3, …}, without those that appear on a day.
    problems jsonb not null
);

-- What each run changed that changed something; the newest of each source are kept.
create table activity (
    run_id uuid primary key,
    project_doc_id uuid not null,
    at timestamptz not null,
    commit_id text not null,
    committed_at timestamptz,
    added bigint not null,
    changed bigint not null,
    moved bigint not null,
    removed bigint not null,
    -- [{"change", "path"}], added, changed, moved or removed: the first of them.
    documents jsonb not null,
    -- [{"id", "title", "path", "from", "to"}]: stories whose status changed, the first of them.
    statuses jsonb not null
);

create index activity_of_source on activity (project_doc_id, at);
