-- Undo 0010_create_work_history.sql.
alter table story
drop column status_since,
drop column changed_at;
drop table burnup_day;
drop table work_fact;
drop table work_commit;
drop table work_history;

-- Else only a run that finds another commit would read the history after the next migration.
update project_doc set reader_version = null where reader_version >= 9;
