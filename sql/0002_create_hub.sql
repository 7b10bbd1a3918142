-- A team's project: what the documents of several repositories belong to.
create table project (
    id uuid primary key default gen_random_uuid(),
    name text not null check (char_length(name) between 1 and 255),
    description text check (char_length(description) <= 2000),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint project_name_is_unique unique (name)
);

-- The order of the list, newest first, and of its cursor.
create index project_by_age on project (created_at, id);

-- A documentation source: a folder in a branch of a git repository.
create table project_doc (
    id uuid primary key default gen_random_uuid(),
    project_id uuid not null,
    name text not null check (char_length(name) between 1 and 255),
    description text check (char_length(description) <= 2000),
    github_url text not null check (char_length(github_url) <= 2048),
    -- Without slashes at its ends; null is the whole repository.
    github_folder_path text check (char_length(github_folder_path) between 1 and 1024),
    -- Null is the repository's default branch, whichever that is at the time.
    branch text check (char_length(branch) between 1 and 255),
    last_synced_at timestamptz,
    -- When the folder was last changed, or the oldest time that git's shallow history has.
    last_github_commit_date timestamptz,
    last_commit text,
    -- git's id of the folder at that commit: while it stays the same, so does every document. Null
    -- after the source was pointed elsewhere.
    tree_id text,
    -- Of the code that read the documents: other code reads them again. Null before the first sync.
    reader_version bigint,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint project_doc_has_project
        foreign key (project_id) references project on delete cascade
);

create index project_doc_by_project on project_doc (project_id, created_at, id);

create table document (
    id uuid primary key default gen_random_uuid(),
    project_doc_id uuid not null,
    -- From the repository's root. In the order of its bytes, as git has it.
    file_path text collate "C" not null check (char_length(file_path) between 1 and 1024),
    file_type text not null,
    -- In bytes, as it is in the repository.
    file_size bigint not null,
    -- git's id of the content.
    blob_id text not null,
    content text not null,
    -- The very bytes, where encoding the content as UTF-8 does not give them: null mostly.
    original bytea,
    doc_metadata jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint document_path_is_unique unique (project_doc_id, file_path),
    constraint document_has_project_doc
        foreign key (project_doc_id) references project_doc on delete cascade
);

-- Both what is to be done and what was done. A run is claimed by one process for a few seconds at a
-- time; who claims it and is killed lets it go by that alone.
create table sync_run (
    id uuid primary key default gen_random_uuid(),
    project_doc_id uuid not null,
    status text not null default 'queued'
        check (status in ('queued', 'running', 'completed', 'failed')),
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    -- Another for every claim, so that who lost one can write nothing any more.
    claim_id uuid,
    claimed_until timestamptz,
    attempts bigint not null default 0,
    -- Something was pushed while it ran: once more, when it has finished.
    is_wanted_again boolean not null default false,
    files_total bigint,
    files_done bigint not null default 0,
    added bigint,
    changed bigint,
    unchanged bigint,
    removed bigint,
    skipped bigint,
    -- Of the packs that git fetched.
    bytes bigint,
    commit_id text,
    error text,
    -- [{"path", "reason", "blob_id"}], the first 1,000 of them.
    skipped_files jsonb not null default '[]',
    constraint sync_run_is_finished_or_not
        check ((finished_at is not null) = (status in ('completed', 'failed'))),
    constraint sync_run_has_project_doc
        foreign key (project_doc_id) references project_doc on delete cascade
);

-- One run of a source at a time, however many ask for it, on however many copies of the service.
create unique index sync_run_is_one_at_a_time on sync_run (project_doc_id)
    where finished_at is null;

-- What is to be done next.
create index sync_run_by_age on sync_run (created_at) where finished_at is null;

-- The history of a source, and its latest run.
create index sync_run_of_project_doc on sync_run (project_doc_id, created_at, id);
