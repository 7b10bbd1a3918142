alter table project_doc drop column default_branch;
alter table sync_run drop column moved;
