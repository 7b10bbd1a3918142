"""A script's journey through the API, with the client that openapi-python-client generates.

`python use.py URL REPOSITORY`, with the generated package on PYTHONPATH.
"""

import re
import sys
import time
from datetime import datetime

from bmad_flow_api_client import Client
from bmad_flow_api_client.api.documents import get_document, get_file_tree, get_raw_document
from bmad_flow_api_client.api.progress import (
    get_badge,
    get_next,
    get_overview,
    get_progress,
    list_activity,
    list_epics,
    list_problems,
    list_stories,
)
from bmad_flow_api_client.api.project_docs import (
    create_project_doc,
    get_project_doc,
    list_project_docs,
    update_project_doc,
)
from bmad_flow_api_client.api.projects import (
    create_project,
    delete_project,
    list_projects,
    update_project,
)
from bmad_flow_api_client.api.syncs import get_sync, sync_project_doc
from bmad_flow_api_client.models import (
    Document,
    FileNode,
    FileTree,
    FolderNode,
    LastRun,
    LastSync,
    ListStoriesStatus,
    Next,
    PartialProjectDocInput,
    PartialProjectInput,
    Problem,
    Progress,
    Project,
    ProjectDoc,
    ProjectDocInput,
    ProjectInput,
    SyncRun,
    SyncStarted,
)

client = Client(base_url=sys.argv[1])
repository = sys.argv[2]


def files(nodes: list[FileNode | FolderNode]) -> list[FileNode]:
    found = [node for node in nodes if isinstance(node, FileNode)]
    folders = [node for node in nodes if isinstance(node, FolderNode)]
    assert len(found) + len(folders) == len(nodes)
    return found + [file for folder in folders for file in files(folder.children)]


def run_to_its_end(source: ProjectDoc) -> ProjectDoc:
    started = sync_project_doc.sync(source.id, client=client)
    assert isinstance(started, SyncStarted)
    for _ in range(600):
        read = get_project_doc.sync(source.id, client=client)
        assert isinstance(read, ProjectDoc)
        assert isinstance(read.last_run, LastRun)
        assert read.last_run.id == started.run_id
        if read.last_run.finished_at is not None:
            return read
        time.sleep(0.05)
    raise AssertionError("the run did not end")


# Create, and change one field at a time.
project = create_project.sync(client=client, body=ProjectInput(name="From Python"))
assert isinstance(project, Project)
assert project.description is None
assert isinstance(project.created_at, datetime)
update_project.sync(project.id, client=client, body=PartialProjectInput(description="Kept."))
renamed = update_project.sync(project.id, client=client, body=PartialProjectInput(name="Renamed"))
assert isinstance(renamed, Project)
assert (renamed.name, renamed.description) == ("Renamed", "Kept.")

# Errors are problems.
taken = create_project.sync_detailed(client=client, body=ProjectInput(name="Renamed"))
assert taken.status_code == 409
assert isinstance(taken.parsed, Problem)
invalid = create_project.sync(client=client, body=ProjectInput(name=""))
assert isinstance(invalid, Problem)
assert invalid.errors.additional_properties["name"]

# A list, page by page.
create_project.sync(client=client, body=ProjectInput(name="Another", description=None))
names = []
page = list_projects.sync_detailed(client=client, limit=1)
while True:
    names += [item.name for item in page.parsed]
    cursor = re.search("cursor=([^&>]+)", page.headers.get("link", ""))
    if cursor is None:
        break
    page = list_projects.sync_detailed(client=client, limit=1, cursor=cursor[1].replace("%3D", "="))
assert names == ["Another", "Renamed"]

# A source: add, sync, point to another branch, and see that run fail.
source = create_project_doc.sync(
    project.id, client=client, body=ProjectDocInput(name="Docs", github_url=repository)
)
assert isinstance(source, ProjectDoc)
assert source.last_run is None
source = run_to_its_end(source)
assert source.last_run.status == "completed"
run = get_sync.sync(source.id, source.last_run.id, client=client)
assert isinstance(run, SyncRun)
assert (run.added, run.error) == (1, None)
source = update_project_doc.sync(
    source.id, client=client, body=PartialProjectDocInput(branch="no-such-branch")
)
assert isinstance(source, ProjectDoc)
assert source.name == "Docs"
source = run_to_its_end(source)
assert source.last_run.status == "failed"
assert source.last_run.error
listed = list_project_docs.sync(project.id, client=client)
assert listed[0].last_run == source.last_run

# The tree, a document, and its bytes.
tree = get_file_tree.sync(project.id, client=client)
assert isinstance(tree, FileTree)
[file] = files(tree.tree)
assert file.path == "docs/prd.md"
document = get_document.sync(file.id, client=client)
assert isinstance(document, Document)
assert document.doc_metadata.title == "Payments"
assert document.doc_metadata.front_matter.additional_properties == {"status": "draft"}
assert document.doc_metadata.headings[0].anchor == "payments"
assert get_raw_document.sync(file.id, client=client) == document.content
missing = get_document.sync(project.id, client=client)
assert isinstance(missing, Problem)
assert missing.status == 404

# How far the work is: nothing, since the only document is no story.
assert list_stories.sync(project.id, client=client, status=ListStoriesStatus.DONE, q="refund") == []
assert list_epics.sync(project.id, client=client) == []
assert isinstance(list_problems.sync(project.id, client=client), list)
assert isinstance(list_activity.sync(project.id, client=client), list)
following = get_next.sync(project.id, client=client)
assert isinstance(following, Next)
assert following.totals.ready == 0
progress = get_progress.sync(project.id, client=client)
assert isinstance(progress, Progress)
assert (progress.totals.done, progress.totals.share_done) == (0, None)
assert progress.by_status.unknown == 0
at_a_glance = next(each for each in get_overview.sync(client=client) if each.id == project.id)
assert isinstance(at_a_glance.last_sync, LastSync)
assert at_a_glance.last_sync.status == "failed"
assert at_a_glance.sources[0].last_sync == at_a_glance.last_sync
assert get_badge.sync(project.id, client=client, metric="done").startswith("<svg")

deleted = delete_project.sync(project.id, client=client)
assert isinstance(deleted, Project)
