-- What a completed run's reader should know, such as that the host refused the service's token.
alter table sync_run add column warning text;
