alter table sync_run
drop column not_before,
drop column awaited_commit_id;

drop table push;
