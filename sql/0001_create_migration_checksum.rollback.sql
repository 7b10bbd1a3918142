drop table migration_checksum;
