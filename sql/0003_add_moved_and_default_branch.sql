-- Null for runs of code that did not know moves yet: they counted a moved document as removed and
-- added.
alter table sync_run add column moved bigint;

-- The name of the repository's default branch at the last run that asked for it.
alter table project_doc add column default_branch text;
