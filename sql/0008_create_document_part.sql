-- The text of each document as the search finds, ranks and shows it. Documents that were synced
-- before get theirs at the next sync of their source.

-- For corrections of misspelt words: similar words by their trigrams.
create extension if not exists pg_trgm;

create table document_part (
    document_id uuid not null,
    -- From 0. A part has whole sections, about 16,000 characters of them.
    number bigint not null,
    -- Whether the document has no other part.
    is_only boolean not null,
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
    -- Which tokens are side by side in the part, for phrases: a Bloom filter, which tells most
    -- parts without a phrase from their row alone. Of 8 bytes to 2 KiB.
    pairs bytea not null,
    -- Of all that the parts of the document are made from: while it stays, so do they.
    digest bytea not null,
    primary key (document_id, number)
);

-- Rows of some hundred bytes, with the texts elsewhere: to count the matches, and to group them,
-- reads only the rows. Uncompressed, since compression would take longer than all the rest.
alter table document_part
alter column vector set storage external,
alter column tokens set storage external,
alter column body set storage external,
alter column pairs set storage plain,
set (toast_tuple_target = 128);

create index document_part_by_word on document_part using gin (vector);
create index document_part_by_source on document_part (project_doc_id);

-- The titles and headings that a search box completes. Of a document's headings that begin alike for
-- 100 characters, the first.
create table document_heading (
    document_id uuid not null,
    -- 0 is the title; else from 1, that of the heading in doc_metadata.
    number bigint not null,
    project_id uuid not null,
    -- Folded, with a blank at its end: service/documents/completions.py.
    text text collate "C" not null,
    primary key (document_id, number)
);

-- Titles come before headings, and shorter ones first. With the length before the text, an index has
-- this order for any beginning: a statement looks for the beginning once for each length.
create index document_heading_by_length
on document_heading ((number > 0), char_length(text), text);
create index document_heading_by_project
on document_heading (project_id, (number > 0), char_length(text), text);

-- Sources that were deleted and have parts and headings left. The service removes these later, for
-- their number would delay the deletion; no search finds them meanwhile.
create table removed_source (
    project_doc_id uuid primary key
);

create function note_removed_sources() returns trigger language plpgsql as $function$
begin
    insert into removed_source (project_doc_id)
    select id from before_statement
    on conflict do nothing;
    return null;
end
$function$;

create trigger removed_sources_noted after delete on project_doc
    referencing old table as before_statement
    for each statement execute function note_removed_sources();

-- Of a source that is there, parts and headings go with their documents, in one statement: a foreign
-- key would look for those of each document by itself.
create function delete_document_parts() returns trigger language plpgsql as $function$
begin
    if exists (
        select from before_statement join project_doc on project_doc.id = project_doc_id
    ) then
        delete from document_part
        using before_statement
        where document_part.document_id = before_statement.id;
        delete from document_heading
        using before_statement
        where document_heading.document_id = before_statement.id;
    end if;
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

-- One row while the service looks for words of the vocabulary that no document has any more. It goes
-- through the words in their order, from next_word on, and ends after the last one; or if it began
-- further on, begins once more and ends at stop_word.
create table vocabulary_check (
    is_only boolean primary key default true check (is_only),
    next_word text collate "C" not null default '',
    stop_word text collate "C" not null default '',
    has_begun_again boolean not null default false
);
