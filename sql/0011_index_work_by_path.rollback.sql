-- Undo 0011_index_work_by_path.sql.
drop index problem_by_path;
drop index story_by_path;
