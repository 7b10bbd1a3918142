-- Empty whenever no transaction is under way.
delete from changed_source;
