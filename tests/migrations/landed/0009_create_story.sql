update document set reading = '{"story": {"id": "1.1"}}'
where id = '30000000-0000-4000-8000-000000000001';
insert into story
    (project_doc_id, place, key, epic_place, epic, id, title, status, is_archived, file_path, item,
     digest)
values
    ('20000000-0000-4000-8000-000000000001', 'a', 'docs/prd.md', 'a', '1', '1.1', 'Title', 'done',
     false, 'docs/prd.md', '{"id": "1.1"}', '\x00');
insert into epic (project_doc_id, place, id, item, digest)
values ('20000000-0000-4000-8000-000000000001', 'a', '1', '{"id": "1"}', '\x00');
insert into problem (project_doc_id, place, kind, severity, file_path, item, digest)
values
    ('20000000-0000-4000-8000-000000000001', 'a', 'broken_link', 'warning', 'docs/prd.md',
     '{"kind": "broken_link"}', '\x00');
insert into source_progress (project_doc_id, documents, stories, problems)
values ('20000000-0000-4000-8000-000000000001', 3, '{"done": 1}', '{"warning": 1}');
insert into activity
    (run_id, project_doc_id, at, commit_id, committed_at, added, changed, moved, removed, documents,
     statuses)
values
    ('40000000-0000-4000-8000-000000000001', '20000000-0000-4000-8000-000000000001',
     '2026-01-02 03:04:05+00', 'abc', null, 1, 0, 0, 0,
     '[{"change": "added", "path": "docs/prd.md"}]',
     '[{"id": "1.1", "title": "Title", "path": "docs/prd.md", "from": null, "to": "done"}]');
