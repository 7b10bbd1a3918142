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
