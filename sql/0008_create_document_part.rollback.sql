-- Undo 0008_create_document_part.sql. The extension may be used by others.
drop trigger document_parts_deleted on document;
drop function delete_document_parts();
drop trigger removed_sources_noted on project_doc;
drop function note_removed_sources();
drop table removed_source;
drop table vocabulary_check;
drop table vocabulary;
drop table document_heading;
drop table document_part;

-- Else a sync after the next migration would take the documents for read, and make no parts.
update project_doc set reader_version = null where reader_version >= 7;
