-- The entity tag of a source's documents changes when the transaction commits. The triggers of 0005
-- changed it with each statement, so the first statement of a sync locked the source's row until
-- the sync had written everything, and whoever changed the source waited for that.

-- The sources whose documents a transaction has changed so far: empty whenever none is under way.
-- With the transaction's id, so that no transaction waits for the row of another.
create table changed_source (
    transaction_id xid8 not null default pg_current_xact_id(),
    project_doc_id uuid not null,
    primary key (transaction_id, project_doc_id)
);

create function tag_changed_source() returns trigger language plpgsql as $function$
begin
    update project_doc set documents_tag = gen_random_uuid() where id = new.project_doc_id;
    delete from changed_source
    where transaction_id = new.transaction_id and project_doc_id = new.project_doc_id;
    return null;
end
$function$;

create constraint trigger source_changed after insert on changed_source
    deferrable initially deferred
    for each row execute function tag_changed_source();

create or replace function tag_inserted_documents() returns trigger language plpgsql as $function$
begin
    insert into changed_source (project_doc_id)
    select distinct project_doc_id from after_statement
    on conflict do nothing;
    return null;
end
$function$;

create or replace function tag_updated_documents() returns trigger language plpgsql as $function$
begin
    insert into changed_source (project_doc_id)
    (
        select project_doc_id
        from (
            select project_doc_id, id, file_path, file_type, file_size from before_statement
            except
            select project_doc_id, id, file_path, file_type, file_size from after_statement
        ) as gone
    )
    union
    (
        select project_doc_id
        from (
            select project_doc_id, id, file_path, file_type, file_size from after_statement
            except
            select project_doc_id, id, file_path, file_type, file_size from before_statement
        ) as come
    )
    on conflict do nothing;
    return null;
end
$function$;

create or replace function tag_deleted_documents() returns trigger language plpgsql as $function$
begin
    insert into changed_source (project_doc_id)
    select distinct project_doc_id from before_statement
    on conflict do nothing;
    return null;
end
$function$;
