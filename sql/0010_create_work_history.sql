-- What past versions of stories, plans and trackers said, from git's history: the burn-up.

-- The history of a source as far as it was read: service/bmad/past_record.py.
create table work_history (
    project_doc_id uuid primary key,
    -- What was read. A source that has moved since then is read from its beginning.
    github_url text not null,
    branch text,
    folder text,
    -- Of the code that read it: FACTS_VERSION of service/bmad/past_facts.py.
    facts_version bigint not null,
    -- The newest commit that was read, and SYNC_HISTORY_COMMITS then.
    head text not null,
    commits bigint not null,
    -- Whether there are older commits, and whether the server may give more another time.
    is_cut boolean not null,
    is_partial boolean not null,
    -- Why less was read than SYNC_HISTORY_COMMITS allows.
    note text,
    -- Versions of files that could not be read.
    skipped bigint not null
);

-- The commits that changed what files say of the work, oldest first.
create table work_commit (
    project_doc_id uuid not null,
    position bigint not null,
    commit_id text not null,
    date timestamptz not null,
    -- Whether what is new in it may be older, since commits before it were not read.
    is_cut boolean not null,
    primary key (project_doc_id, position)
);

-- What they changed. Of a fact that is gone, all that follows `item` is null.
create table work_fact (
    project_doc_id uuid not null,
    position bigint not null,
    path text collate "C" not null,
    -- Empty for a story and a plan; of a tracker the key or the entry's id.
    item text collate "C" not null,
    kind text,
    status text,
    id text,
    epic text,
    story text,
    ticket text,
    -- git's id of the file's content.
    blob_id text,
    primary key (project_doc_id, position, path, item)
);

-- The stories in scope, and those of them that were done, at the end of a day in UTC: a row for
-- each day with commits that changed them.
create table burnup_day (
    project_doc_id uuid not null,
    day date not null,
    scope bigint not null,
    done bigint not null,
    primary key (project_doc_id, day)
);

-- From the history: since when a story has its status, and when its file was changed last; null where
-- that is older than what was read.
alter table story
add column status_since timestamptz,
add column changed_at timestamptz;
