-- The page of a document looks for the stories and problems of its file: with 3,000 stories that
-- took 5 ms, and takes 0.1 ms. The tables are small: while an index is built, runs wait for moments.
-- squawk-ignore-file require-concurrent-index-creation
create index story_by_path on story (project_doc_id, file_path);
create index problem_by_path on problem (project_doc_id, file_path);
