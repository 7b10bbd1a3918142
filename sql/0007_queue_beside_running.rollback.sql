-- Undo 0007_queue_beside_running.sql.
create or replace function tag_inserted_documents() returns trigger language plpgsql as $function$
begin
    update project_doc
    set documents_tag = gen_random_uuid()
    where id in (select project_doc_id from after_statement);
    return null;
end
$function$;

create or replace function tag_updated_documents() returns trigger language plpgsql as $function$
begin
    update project_doc
    set documents_tag = gen_random_uuid()
    where id in (
        (
            select project_doc_id
            from (
                select project_doc_id, id, file_path, file_type, file_size from before_statement
                except
                select project_doc_id, id, file_path, file_type, file_size from after_statement
            ) as gone
        )
        union all
        (
            select project_doc_id
            from (
                select project_doc_id, id, file_path, file_type, file_size from after_statement
                except
                select project_doc_id, id, file_path, file_type, file_size from before_statement
            ) as come
        )
    );
    return null;
end
$function$;

create or replace function tag_deleted_documents() returns trigger language plpgsql as $function$
begin
    update project_doc
    set documents_tag = gen_random_uuid()
    where id in (select project_doc_id from before_statement);
    return null;
end
$function$;

drop table changed_source;
drop function tag_changed_source();

-- One unfinished run of each source: the queued one becomes the one that follows the running one.
update sync_run
set is_wanted_again = true
where status = 'running' and exists (
    select 1
    from sync_run as queued
    where queued.project_doc_id = sync_run.project_doc_id and queued.status = 'queued'
);
delete from sync_run
where status = 'queued' and exists (
    select 1
    from sync_run as running
    where running.project_doc_id = sync_run.project_doc_id and running.status = 'running'
);
drop index sync_run_is_queued_once;
drop index sync_run_is_running_once;
drop index sync_run_unfinished;
create unique index sync_run_is_one_at_a_time on sync_run (project_doc_id)
    where finished_at is null;
create index sync_run_by_age on sync_run (created_at) where finished_at is null;

-- The indexes of the numbers go with their columns.
alter table push drop column number;
alter table sync_run drop column number;
alter table project_doc drop column number;
alter table project drop column number;
create index project_by_age on project (created_at, id);
create index project_doc_by_project on project_doc (project_id, created_at, id);
create index sync_run_of_project_doc on sync_run (project_doc_id, created_at, id);
