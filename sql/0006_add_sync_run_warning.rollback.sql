-- Undo 0006_add_sync_run_warning.sql.
alter table sync_run drop column warning;
