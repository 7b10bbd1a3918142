update sync_run set moved = 0 where status = 'completed';
update project_doc set default_branch = 'trunk' where last_commit is not null;
