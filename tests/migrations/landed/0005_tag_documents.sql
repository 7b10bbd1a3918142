update project_doc set documents_tag = '60000000-0000-4000-8000-000000000001'
where last_commit is not null;
