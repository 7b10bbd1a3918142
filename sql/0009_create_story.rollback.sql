-- Undo 0009_create_story.sql.
drop table activity;
drop table source_progress;
drop table problem;
drop table epic;
drop table story;
alter table document drop column reading;

-- Else a sync after the next migration would take the documents for read.
update project_doc set reader_version = null where reader_version >= 9;
