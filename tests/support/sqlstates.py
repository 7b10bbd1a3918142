"""PostgreSQL's errors, and what the service makes of them: the right values of its table."""

# SQLSTATEs that PostgreSQL reports, and the reasons of the 503s that follow. Those of "again" are
# of statements that PostgreSQL has undone, so that they are run again.
# 25006 is, too, but once: see test_database_errors.py.
PASSING = {
    "08000": "unreachable",
    "08001": "unreachable",
    "08003": "unreachable",
    "08004": "unreachable",
    "08006": "unreachable",
    "08007": "unreachable",
    "08P01": "unreachable",
    "25006": "read_only",
    "25P03": "timeout",
    "25P04": "timeout",
    "40000": "conflict, again",
    "40001": "conflict, again",
    "40002": "conflict, again",
    "40003": "conflict",
    "40P01": "conflict, again",
    "53000": "out_of_resources",
    "53100": "disk_full",
    "53200": "out_of_resources",
    "53300": "out_of_resources",
    "53400": "out_of_resources",
    "55006": "locked",
    "55P03": "locked",
    "57000": "unreachable",
    "57014": "timeout",
    "57P01": "unreachable",
    "57P02": "unreachable",
    "57P03": "unreachable",
    "57P04": "unreachable",
    "57P05": "unreachable",
    "58000": "system_error",
    "58030": "system_error",
    "58P01": "system_error",
    "58P02": "system_error",
    "72000": "conflict, again",
}
LASTING = (
    "0A000", "0B000", "21000", "22001", "22012", "22P02", "22P05", "23502", "23503", "23505",
    "23514", "23P01", "25000", "25001", "25P02", "26000", "28000", "2BP01", "34000", "3D000",
    "42501", "42601", "42804", "42883", "42P01", "44000", "54000", "54001", "55000", "55P04",
    "F0000", "HV000", "P0001", "P0002", "XX000", "XX001", "XX002", "ZZ999",
)  # fmt: skip
