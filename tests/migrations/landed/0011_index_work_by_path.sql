-- A second problem of the same file.
insert into problem (project_doc_id, place, kind, severity, appears_on, file_path, item, digest)
select project_doc_id, place || '2', kind, severity, appears_on, file_path, item, digest
from problem;
