-- The text of each document as the search finds, ranks and shows it. Documents that were synced
-- before get theirs at the next sync of their source.

-- For corrections of misspelt words: similar words by their trigrams.
create extension if not exists pg_trgm;

create table document_part (
    document_id uuid not null,
    -- From 0. A part has whole sections, about 16,000 characters of them.
    number bigint not null,
    project_doc_id uuid not null,
    -- Such as prd, story, gate: service/documents/kinds.py.
    kind text not null,
    -- The lexemes, without positions: service/documents/words.py makes them, not PostgreSQL.
    vector tsvector not null,
    -- The words in order, a line for each section: what phrases are looked for in, and the rank is
    -- computed from.
    tokens text not null,
    -- The texts of the sections.
    body text not null,
    -- Of each line of tokens: the path to its heading, as numbers in doc_metadata's headings, and
    -- where its text ends in body, in characters.
    headings text[] not null,
    ends bigint[] not null,
    primary key (document_id, number)
);

-- Rows of less than 150 bytes, with the texts elsewhere: to count the matches, and to group them,
-- reads only the rows. Uncompressed, since compression would take longer than all the rest.
alter table document_part
alter column vector set storage external,
alter column tokens set storage external,
alter column body set storage external,
set (toast_tuple_target = 128);

create index document_part_by_word on document_part using gin (vector);
create index document_part_by_source on document_part (project_doc_id);

-- The parts go with their documents, in one statement: a foreign key would look for the parts of
-- each document by itself.
create function delete_document_parts() returns trigger language plpgsql as $function$
begin
    delete from document_part
    using before_statement
    where document_part.document_id = before_statement.id;
    return null;
end
$function$;

create trigger document_parts_deleted after delete on document
    referencing old table as before_statement
    for each statement execute function delete_document_parts();

-- All words of the documents that may be meant by misspelt ones.
create table vocabulary (
    word text collate "C" primary key
);

create index vocabulary_by_trigram on vocabulary using gin (word gin_trgm_ops);
