drop table sync_run;
drop table document;
drop table project_doc;
drop table project;
