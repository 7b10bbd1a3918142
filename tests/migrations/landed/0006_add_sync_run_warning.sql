update sync_run set warning = 'The server refuses the service''s token for git.example (401).'
where status = 'completed';
