-- What each applied migration looked like when it ran. yoyo keeps names only, so without this an
-- edited file would go unnoticed; `status` compares it with the files.
create table migration_checksum (
    migration_id text primary key,
    -- Of the file's text with line ends as \n, in hexadecimal.
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    applied_at timestamptz not null default now()
);
