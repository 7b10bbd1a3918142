// A front end's journey through the API, with the client that openapi-typescript and openapi-fetch
// give. `tsc --strict` checks its types, and Node.js runs it: node use.ts URL REPOSITORY.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: [string, string, string, string] };

type Node = components["schemas"]["Node"];
type Source = components["schemas"]["ProjectDoc"];

const [, , baseUrl, repository] = process.argv;
const api = createClient<paths>({ baseUrl });

/** Returns a value that must be there. */
function there<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Error(`${what} is missing`);
  return value;
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** Returns the files of a tree: the type of each node says which fields it has. */
function files(nodes: Node[]): { id: string; path: string; size: number }[] {
  return nodes.flatMap((node) => {
    if (node.type === "folder") return files(node.children);
    const type: "csv" | "json" | "md" | "toml" | "txt" | "yaml" = node.file_type;
    expect(node.name.endsWith(type), `${node.name} is no ${type}`);
    return [{ id: node.id, path: node.path, size: node.size }];
  });
}

async function runToItsEnd(source: Source): Promise<Source> {
  const path = { id: source.id };
  const started = there((await api.POST("/api/project-docs/{id}/sync", { params: { path } })).data, "202");
  for (let tries = 0; tries < 600; tries++) {
    const { data } = await api.GET("/api/project-docs/{id}", { params: { path } });
    const run = there(data?.last_run, "last_run");
    expect(run.id === started.run_id, "the source's last run is the one that was started");
    if (run.status === "completed" || run.status === "failed") return there(data, "the source");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the run did not end");
}

// Create, and change one field at a time.
const created = await api.POST("/api/projects", { body: { name: "From TypeScript" } });
const project = there(created.data, "the project");
expect(created.response.status === 201 && project.description === null, "201, without a description");
const path = { project_id: project.id };
await api.PUT("/api/projects/{project_id}", { params: { path }, body: { description: "Kept." } });
const renamed = await api.PUT("/api/projects/{project_id}", {
  params: { path },
  body: { name: "Renamed" },
});
expect(renamed.data?.name === "Renamed", "the project is renamed");
expect(renamed.data?.description === "Kept.", "a field that is not sent stays");

// Errors are problems, with their types.
const taken = await api.POST("/api/projects", { body: { name: "Renamed" } });
const problem: components["schemas"]["Problem"] = there(taken.error, "the problem");
expect(problem.status === 409 && problem.detail !== "", "a name that is taken is a 409");
const invalid = await api.POST("/api/projects", { body: { name: "" } });
expect(invalid.error?.errors?.["name"]?.length === 1, "the errors of a field are in a list");
const missing = await api.GET("/api/documents/{id}", { params: { path: { id: project.id } } });
expect(missing.error?.status === 404 && missing.data === undefined, "an unknown document is a 404");

// A list, page by page.
await api.POST("/api/projects", { body: { name: "Another", description: null } });
const names: string[] = [];
let cursor: string | undefined;
do {
  const query = cursor === undefined ? { limit: 1 } : { limit: 1, cursor };
  const page = await api.GET("/api/projects", { params: { query } });
  names.push(...there(page.data, "the page").map((item) => item.name));
  const next = /<([^>]+)>; rel="next"/.exec(page.response.headers.get("Link") ?? "")?.[1];
  cursor = next && (new URL(next, page.response.url).searchParams.get("cursor") ?? undefined);
} while (cursor !== undefined);
expect(names.join() === "Another,Renamed", `the pages have ${names.join()}`);

// A source: add, point elsewhere, sync, and see a run fail.
const added = await api.POST("/api/projects/{project_id}/docs", {
  params: { path },
  body: { name: "Docs", github_url: repository },
});
let source = there(added.data, "the source");
expect(source.last_run === null, "a new source has no run");
source = await runToItsEnd(source);
expect(source.last_run?.status === "completed", "the run is completed");
const inFolder = await api.PUT("/api/project-docs/{id}", {
  params: { path: { id: source.id } },
  body: { branch: "no-such-branch" },
});
expect(inFolder.data?.name === "Docs", "a field that is not sent stays");
source = await runToItsEnd(there(inFolder.data, "the source"));
expect(source.last_run?.status === "failed", "the run failed");
expect(there(source.last_run?.error, "the reason") !== "", "the run says why");
expect(!Number.isNaN(Date.parse(there(source.last_run?.finished_at, "its end"))), "the end is a time");
const listed = await api.GET("/api/projects/{project_id}/docs", { params: { path } });
expect(listed.data?.[0]?.last_run?.id === source.last_run?.id, "the list has the same run");

// The tree, a document, and its bytes.
const tree = await api.GET("/api/projects/{project_id}/file-tree", { params: { path } });
const [file] = files(there(tree.data, "the tree").tree);
expect(file?.path === "docs/prd.md", "the tree has the file");
const of = { params: { path: { id: there(file, "the file").id } } };
const document = there((await api.GET("/api/documents/{id}", of)).data, "the document");
expect(document.doc_metadata.title === "Payments", "the document has its title");
expect(document.doc_metadata.front_matter?.["status"] === "draft", "front matter is free-form");
expect(document.doc_metadata.headings?.[0]?.anchor === "payments", "headings are typed");
const raw = await api.GET("/api/documents/{id}/raw", { ...of, parseAs: "text" });
expect(raw.data === document.content, "the bytes are the content");

const deleted = await api.DELETE("/api/projects/{project_id}", { params: { path } });
expect(deleted.data?.id === project.id, "the deleted project comes back");
