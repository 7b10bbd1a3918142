"""The rows of each contender's database: 100 projects and a document of 50 KB."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import psycopg
from texts import Texts

from service.documents.metadata import read_metadata

PROJECT_COUNT: Final = 100
DOCUMENT_BYTES: Final = 50_000
DOCUMENT_ID: Final = UUID("0197d4a0-5f3e-4a67-9d2b-6c1a2e8f4b90")

PATH: Final = "docs/architecture.md"
FIRST: Final = datetime(2026, 11, 1, 9, tzinfo=UTC)


def insert_rows(url: str) -> None:
    """Insert the rows into a migrated, empty database."""
    texts = Texts("rows")
    content = texts.markdown(DOCUMENT_BYTES)
    blob = b"blob %d\0%s" % (len(content), content)
    metadata = read_metadata(content.decode(), "md", PATH)
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.transaction():
            for number in range(PROJECT_COUNT):
                created = FIRST + timedelta(hours=number, microseconds=number * 7919)
                connection.execute(
                    """
                    insert into project (name, description, created_at, updated_at)
                    values (%s, %s, %s, %s)
                    """,
                    [f"Project {number + 1}", texts.sentence(), created, created],
                )
            connection.execute(
                """
                with source as (
                    insert into project_doc (project_id, name, github_url)
                    select id, 'Planning', 'https://github.com/example/planning'
                    from project
                    limit 1
                    returning id
                )
                insert into document
                    (id, project_doc_id, file_path, file_type, file_size, blob_id, content,
                     doc_metadata)
                select %s, id, %s, 'md', %s, %s, %s, %s::jsonb
                from source
                """,
                [
                    DOCUMENT_ID,
                    PATH,
                    len(content),
                    hashlib.sha1(blob, usedforsecurity=False).hexdigest(),
                    content.decode(),
                    json.dumps(metadata),
                ],
            )
        # So that autovacuum does not start during a measurement.
        connection.execute("vacuum analyze")
