-- Rows as 0002 allows them, at its limits: the longest name, nulls, a byte order mark, CRLF, an empty text, every status.
insert into project (id, name, description, created_at, updated_at) values
    ('10000000-0000-4000-8000-000000000001', 'Zahlungen „ä" 🙂', null, '2026-01-01 00:00:00.5+00', '2026-01-02 00:00:00+00'),
    ('10000000-0000-4000-8000-000000000002', repeat('n', 255), repeat('d', 2000), '2026-01-03 00:00:00+00', '2026-01-03 00:00:00+00');

insert into project_doc
    (id, project_id, name, description, github_url, github_folder_path, branch, last_synced_at,
     last_github_commit_date, last_commit, tree_id, reader_version, created_at, updated_at)
values
    ('20000000-0000-4000-8000-000000000001', '10000000-0000-4000-8000-000000000001', 'Planning',
     null, 'https://git.example/team/docs.git', 'docs', 'main', '2026-01-05 00:00:00+00',
     '2026-01-04 00:00:00+00', repeat('a', 40), repeat('b', 40), 1, '2026-01-01 00:00:01+00',
     '2026-01-01 00:00:01+00'),
    ('20000000-0000-4000-8000-000000000002', '10000000-0000-4000-8000-000000000001', 'Never synced',
     'Why', 'https://git.example/team/other.git', null, null, null, null, null, null, null,
     '2026-01-01 00:00:02+00', '2026-01-01 00:00:02+00');

-- The ids of the contents are git's, so that a sync finds them unchanged.
insert into document
    (id, project_doc_id, file_path, file_type, file_size, blob_id, content, original, doc_metadata,
     created_at, updated_at)
values
    ('30000000-0000-4000-8000-000000000001', '20000000-0000-4000-8000-000000000001', 'docs/prd.md', 'md',
     38, '640628f35dd1b2054779fa5cc0f5cec2cb667606', E'---\nversion: 1.10\n---\n# Title\n\n## Why\n', null,
     '{"title": "What older code read", "front_matter": {"version": 1.1},
       "headings": [{"level": 1, "text": "Title", "anchor": "title"}, {"level": 2, "text": "Why", "anchor": "why"}]}',
     '2026-01-05 00:00:00+00', '2026-01-05 00:00:00+00'),
    ('30000000-0000-4000-8000-000000000002', '20000000-0000-4000-8000-000000000001', 'docs/bom.txt', 'txt',
     9, '0fd544f45af1bb17b440e64f2ae6c74806114a04', E'a\r\nb\r\n', '\xefbbbf610d0a620d0a',
     '{"title": "bom", "encoding": "utf-8-sig"}', '2026-01-05 00:00:00+00', '2026-01-05 00:00:00+00'),
    ('30000000-0000-4000-8000-000000000003', '20000000-0000-4000-8000-000000000001', 'docs/empty.yaml', 'yaml',
     0, 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391', '', null, '{"title": "empty"}',
     '2026-01-05 00:00:00+00', '2026-01-05 00:00:00+00');

insert into sync_run
    (id, project_doc_id, status, created_at, started_at, finished_at, claim_id, claimed_until, attempts,
     is_wanted_again, files_total, files_done, added, changed, unchanged, removed, skipped, bytes, commit_id, error,
     skipped_files)
values
    ('40000000-0000-4000-8000-000000000001', '20000000-0000-4000-8000-000000000001', 'completed',
     '2026-01-05 00:00:00+00', '2026-01-05 00:00:01+00', '2026-01-05 00:00:02+00', null, null, 1, false, 3, 3, 3, 0,
     0, 0, 1, 1234, repeat('a', 40), null,
     '[{"path": "docs/bad.md", "reason": "contains NUL bytes", "blob_id": "cccccccccccccccccccccccccccccccccccccccc"}]'),
    ('40000000-0000-4000-8000-000000000002', '20000000-0000-4000-8000-000000000001', 'failed',
     '2026-01-06 00:00:00+00', '2026-01-06 00:00:01+00', '2026-01-06 00:00:02+00', null, null, 1, false, null, 0,
     null, null, null, null, null, 0, null, 'The repository was not found.', '[]'),
    ('40000000-0000-4000-8000-000000000003', '20000000-0000-4000-8000-000000000001', 'running',
     '2026-01-07 00:00:00+00', '2026-01-07 00:00:01+00', null, '50000000-0000-4000-8000-000000000001',
     '2026-01-07 00:00:11+00', 1, true, 3, 1, null, null, null, null, null, null, null, null, '[]'),
    ('40000000-0000-4000-8000-000000000004', '20000000-0000-4000-8000-000000000002', 'queued',
     '2026-01-07 00:00:00+00', null, null, null, null, 0, false, null, 0, null, null, null, null, null, null, null,
     null, '[]');
