insert into work_history
    (project_doc_id, github_url, branch, folder, facts_version, head, commits, is_cut, is_partial,
     note, skipped)
values
    ('20000000-0000-4000-8000-000000000001', 'https://git.example/team/docs', null, null, 1, 'abc',
     2000, false, false, null, 0);
insert into work_commit (project_doc_id, position, commit_id, date, is_cut)
values
    ('20000000-0000-4000-8000-000000000001', 0, 'abc', '2026-01-02 03:04:05+00', false);
insert into work_fact
    (project_doc_id, position, path, item, kind, status, id, epic, story, ticket, blob_id)
values
    ('20000000-0000-4000-8000-000000000001', 0, 'docs/prd.md', '', 'story', 'done', '1.1', '1', '1',
     null, 'a');
insert into burnup_day (project_doc_id, day, scope, done)
values ('20000000-0000-4000-8000-000000000001', '2026-01-02', 1, 1);
update story set status_since = '2026-01-02 03:04:05+00', changed_at = '2026-01-02 03:04:05+00';
