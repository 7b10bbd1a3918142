-- The pushes that webhooks reported: by them a delivery that comes twice is known, and a commit
-- that the repository's server does not show yet is looked for again.
create table push (
    project_doc_id uuid not null,
    -- The host's id of the delivery, or one of ours where the host gives none.
    delivery_id text not null check (char_length(delivery_id) <= 255),
    received_at timestamptz not null default now(),
    -- The branch's head after the push and before it; null where the webhook does not tell.
    commit_id text,
    previous_commit_id text,
    -- Until a run finds commit_id in the branch, or until that has taken too long.
    is_awaited boolean not null,
    primary key (project_doc_id, delivery_id),
    constraint push_has_project_doc
        foreign key (project_doc_id) references project_doc on delete cascade
);

alter table sync_run
-- A run that looks again for a commit is not claimed before this time.
add column not_before timestamptz,
-- The commit that a webhook named and this run did not find; of a queued run, the one it looks for.
add column awaited_commit_id text;
