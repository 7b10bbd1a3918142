-- Undo 0005_tag_documents.sql.
drop trigger document_deleted on document;
drop trigger document_updated on document;
drop trigger document_inserted on document;
drop function tag_deleted_documents();
drop function tag_updated_documents();
drop function tag_inserted_documents();
alter table project_doc drop column documents_tag;
