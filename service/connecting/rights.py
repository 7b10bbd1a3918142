"""Which rights the role lacks on the tables of migrations, as the statements that grant them."""

from typing import Final, LiteralString

# The schemas that search_path names, whether the role may use them or not.
NAMED_SCHEMAS: Final[LiteralString] = """
    select case trim(both '" ' from part) when '$user' then current_user
           else trim(both '" ' from part) end
    from unnest(string_to_array(current_setting('search_path'), ',')) as part
"""

# A schema that the role may not use is left out of its search path without an error, so its tables
# seem not to exist. The catalogue shows every role all of them.
MISSING_GRANTS: Final[LiteralString] = f"""
    select distinct missing.statement
    from pg_class as relation
    join pg_namespace as place on place.oid = relation.relnamespace
    cross join lateral (
        values (
            format('grant usage on schema %I to %I', place.nspname, current_user),
            has_schema_privilege(place.oid, 'usage')
        ), (
            format('grant select on %I.%I to %I', place.nspname, relation.relname, current_user),
            has_table_privilege(relation.oid, 'select')
        )
    ) as missing (statement, is_granted)
    where relation.relname in ('_yoyo_migration', 'migration_checksum')
      and relation.relkind in ('r', 'v')
      and not missing.is_granted
      and place.nspname in ({NAMED_SCHEMAS})
    order by 1 desc
"""
