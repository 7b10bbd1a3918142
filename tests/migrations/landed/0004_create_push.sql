-- A delivery that did its work, and a pushed commit that the server does not show yet.
insert into push
    (project_doc_id, delivery_id, received_at, commit_id, previous_commit_id, is_awaited)
values
    ('20000000-0000-4000-8000-000000000001', '72d3162e-cc78-11e3-81ab-4c9367dc0958',
     '2026-01-05 00:00:00+00', repeat('a', 40), repeat('0', 40), false),
    ('20000000-0000-4000-8000-000000000001', repeat('x', 255), '2026-01-07 00:00:00+00', repeat('c', 40), null, true);

update sync_run set not_before = '2026-01-07 00:00:00+00', awaited_commit_id = repeat('c', 40)
where status = 'running';
