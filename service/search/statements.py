"""The SQL of searches: which parts of documents match, within the filters of a request."""

from __future__ import annotations

from typing import Final, LiteralString, NamedTuple

# Of one document, so many, where more match than are ranked: else one large document would take all
# places.
PARTS_OF_DOCUMENT: Final[LiteralString] = "3"

# The parts of a deleted source are removed some seconds later.
NOT_REMOVED: Final[LiteralString] = (
    "project_doc_id not in (select project_doc_id from removed_source)"
)

# For the statements of a search. Of a small table PostgreSQL would read all rows; to plan or
# compile a statement takes longer than to run it; parallel workers find parts in no certain order.
SETTINGS: Final[LiteralString] = """
    set local enable_seqscan = off;
    set local jit = off;
    set local max_parallel_workers_per_gather = 0;
    set local plan_cache_mode = force_generic_plan
    """

# `is true`, since an index on sources would give the parts in another order: which parts are within
# a limit, and so the pages, must not depend on statistics.
OF_PROJECT: Final[LiteralString] = """
    (project_doc_id = any(array(select id from project_doc where project_id = $2))) is true
    """
OF_SOURCE: Final[LiteralString] = "(project_doc_id = $3) is true"
# Of `exists` PostgreSQL may make a join, which reads all documents.
OF_PATH: Final[LiteralString] = """
    (
        select starts_with(file_path, $5)
        from document
        where document.id = document_part.document_id
    )
    """
# Each text of $6 has alternatives, one a line: sequences of tokens. A part matches if it has one of
# each text, which lexemes without positions cannot say. The tokens are read once for all; it ends
# at the first text of which the part has none.
OF_SEQUENCES: Final[LiteralString] = """
    not exists (
        select
        from (select tokens || '' as whole offset 0) as detoasted,
             unnest($6::text[]) as required (sequences)
        where not exists (
            select
            from string_to_table(sequences, E'\\n') as each (sequence)
            where strpos(whole, sequence) > 0
        )
    )
    """

# Whether the tokens may have the phrases at all: the bits of three of their pairs are set.
HAS_PAIRS: Final[LiteralString] = """
    get_bit(pairs, $8::bigint & (8 * length(pairs) - 1)) = 1
    and get_bit(pairs, $9::bigint & (8 * length(pairs) - 1)) = 1
    and get_bit(pairs, $10::bigint & (8 * length(pairs) - 1)) = 1
    """
NO_PAIRS: Final[LiteralString] = "coalesce($8::bigint, $9::bigint, $10::bigint) is null"

# Of `matching`: how many parts and documents, and the facets as JSON.
SUMMARY: Final[LiteralString] = """
    -- Most documents have one part: these are counted without their ids, in half of the time.
    by_document as (
        select project_doc_id, kind, document_of_parts, count(*) as parts
        from (
            select project_doc_id, kind,
                   case when not is_only then document_id end as document_of_parts
            from matching
        ) as part
        group by project_doc_id, kind, document_of_parts
    ),
    found as materialized (
        select project_doc_id, kind, sum(parts) as parts,
               sum(case when document_of_parts is null then parts else 1 end) as documents
        from by_document
        group by project_doc_id, kind
    ),
    -- Each looked up by its id: of small tables PostgreSQL would else read all.
    by_project as (
        select project.id, project.name, sum(documents)::bigint as count
        from found
        cross join lateral (
            select project_id from project_doc where id = found.project_doc_id offset 0
        ) as source
        cross join lateral (
            select id, name from project where id = source.project_id offset 0
        ) as project
        group by project.id, project.name
    ),
    by_kind as (
        select kind as value, sum(documents)::bigint as count from found group by kind
    )
    select
        (select coalesce(sum(parts), 0)::bigint from found) as parts,
        (select coalesce(sum(documents), 0)::bigint from found) as documents,
        (
            select coalesce(json_agg(by_project order by count desc, name), '[]') from by_project
        ) as projects,
        (select coalesce(json_agg(by_kind order by count desc, value), '[]') from by_kind) as kinds
    """

COUNT_MATCHING: Final[LiteralString] = "(select count(*) from matching)"

# Of `placed`: the parts that may be ranked. If all have room, so has the best one of each document.
HAS_PLACE: Final[LiteralString] = f"(place <= {PARTS_OF_DOCUMENT} or {COUNT_MATCHING} <= $11)"

# The documents and numbers of all `matching`.
ALL_KEYS: Final[LiteralString] = "keys as (select document_id, number from matching)"

# Conditions of `weighed_parts` where the words of a part take long to find, as those that begin
# with a prefix do, and where its tokens do. `is true`, since of a join PostgreSQL would read the
# parts in another order.
IS_MATCHING: Final[LiteralString] = f"""
    ((document_id, number) in (select document_id, number from matching)) is true
    and {COUNT_MATCHING} > $11
    """
OF_WORDS_AND_MATCHING: Final[LiteralString] = f"vector @@ $1::tsquery and {IS_MATCHING}"

# What the rank is computed from, of the rows of `keys`. Each is looked up by its key: of small
# tables PostgreSQL would else read all.
CANDIDATES: Final[LiteralString] = """
    select document_id, number, tokens, headings
    from keys
    cross join lateral (
        select tokens, headings
        from document_part
        where document_id = keys.document_id and number = keys.number
        offset 0
    ) as part
    """


class Filters(NamedTuple):
    """What a search is limited to; `path` is a prefix."""

    project_id: str | None
    source_id: str | None
    kind: str | None
    path: str | None

    def condition(self) -> LiteralString:
        """Return the condition on the columns of a part; it has $1 to $5, used or not."""
        return f"vector @@ $1::tsquery and {self.limits()}"

    def limits(self) -> LiteralString:
        """Return the condition without that on words: it has $2 to $5, used or not."""
        return (
            f"{NOT_REMOVED} and "
            + (OF_PROJECT if self.project_id else "$2::uuid is null")
            + " and "
            + (OF_SOURCE if self.source_id else "$3::uuid is null")
            + " and "
            + ("kind = $4" if self.kind else "$4::text is null")
            + " and "
            + (OF_PATH if self.path else "$5::text is null")
        )

    def matching(self, arguments: Arguments) -> LiteralString:
        """Return the beginning of a statement: `matching`, the parts that match.

        These are of the first $7 parts that have the words.
        """
        if arguments.sequences is None:
            return f"""
                matching as (
                    select document_id, number, project_doc_id, kind, is_only
                    from document_part
                    where {self.condition()} and $6::text[] is null and {NO_PAIRS}
                    limit $7
                )
                """
        return f"""
            matching as materialized (
                select document_id, number, project_doc_id, kind, is_only
                from (
                    -- The limit keeps this order: the bits first, since to read tokens takes long.
                    select *
                    from (select * from document_part where {self.condition()} limit $7) as first
                    where {NO_PAIRS if arguments.pairs[0] is None else HAS_PAIRS}
                    limit $7
                ) as likely
                where {OF_SEQUENCES}
            )
            """

    def count_read(self) -> LiteralString:
        """Return the number of parts that have the words, up to $7, as a scalar of a statement."""
        return f"""
            (
                select count(*)
                from (select from document_part where {self.condition()} limit $7) as each
            )
            """


class Arguments(NamedTuple):
    """The arguments $1 to $10 of `Filters.matching`."""

    tsquery: str
    project_id: str | None
    source_id: str | None
    kind: str | None
    path: str | None
    sequences: list[str] | None
    most: int
    pairs: tuple[int | None, int | None, int | None] = (None, None, None)

    def values(self) -> tuple[object, ...]:
        """Return them in their order."""
        return (*self[:7], *self.pairs)


class Preference(NamedTuple):
    """Which parts are ranked where too many match: the arguments $11 to $14 of `weighed_parts`.

    These are the `most_ranked` parts with the greatest sum of the weights of the tsqueries that
    they match. Of each tsquery `most_read` parts are read.
    """

    most_ranked: int
    tsqueries: list[str]
    weights: list[int]
    most_read: int


def weighed_parts(condition: LiteralString, others: LiteralString) -> LiteralString:
    """Return `placed`: parts of `matching`, their weights, and their places in their documents.

    `condition` says of a part that it matches. Besides the parts that match tsqueries these are the
    first ones of `matching`; `others` is the parameter with their number.
    """
    return f"""
        weighed as (
            select part.document_id, part.number, weight
            from unnest($12::text[], $13::bigint[]) as preferred (query, weight)
            cross join lateral (
                select document_id, number
                from document_part
                where {condition} and vector @@ preferred.query::tsquery
                limit $14
            ) as part
            union all
            (select document_id, number, 0 from matching limit {others})
        ),
        placed as (
            select document_id, number, sum(weight) as weight,
                   row_number() over (
                       partition by document_id order by sum(weight) desc, number
                   ) as place
            from weighed
            group by document_id, number
        )
        """


def best_parts(condition: LiteralString, has_place: LiteralString) -> LiteralString:
    """Return `keys`: the $11 parts of `matching` with the greatest weights.

    The conditions say of a part that it matches, and of its place in its document that it may be
    ranked.
    """
    return f"""
        {weighed_parts(condition, "$14")},
        keys as (
            select document_id, number
            from placed
            where {has_place}
            order by weight desc, document_id, number
            limit $11
        )
        """
