-- The entity tag of a project's file tree, without reading the tree: the tag of each source changes
-- with every statement that changes what the tree shows of the source's documents. By triggers, so
-- that nothing can write documents without it, the code before this migration included. A random
-- value, because a counter would come back after a restored backup.

-- Null until the source has had a document.
alter table project_doc add column documents_tag uuid;

update project_doc set documents_tag = gen_random_uuid();

create function tag_inserted_documents() returns trigger language plpgsql as $function$
begin
    update project_doc
    set documents_tag = gen_random_uuid()
    where id in (select project_doc_id from after_statement);
    return null;
end
$function$;

create function tag_updated_documents() returns trigger language plpgsql as $function$
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

create function tag_deleted_documents() returns trigger language plpgsql as $function$
begin
    update project_doc
    set documents_tag = gen_random_uuid()
    where id in (select project_doc_id from before_statement);
    return null;
end
$function$;

create trigger document_inserted after insert on document
    referencing new table as after_statement
    for each statement execute function tag_inserted_documents();

create trigger document_updated after update on document
    referencing old table as before_statement new table as after_statement
    for each statement execute function tag_updated_documents();

create trigger document_deleted after delete on document
    referencing old table as before_statement
    for each statement execute function tag_deleted_documents();
