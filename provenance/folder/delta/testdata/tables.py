"""Writes Delta tables with the deltalake package, and says which files it takes each version of a table to have.

usage: tables.py make DIR      tables of every kind, each in a folder of DIR
       tables.py files TABLE   {"VERSION": [NAME, ...] or null, ...}: null is a version that deltalake cannot read
       tables.py rows TABLE    how many rows of each file are deleted by vectors: {NAME: ROWS, ...}
"""

import datetime
import json
import os
import sys

from arro3.core import Array, DataType, Table
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

AWKWARD = ["plain", "a b", "50%", "100%25", "x=y", "y/z", "Zürich", "雪", "a#b?c", "a:b", "1+1", "'quoted' \"twice\"", "..", None]

FIRST_DAY = (datetime.date(2026, 11, 1) - datetime.date(1970, 1, 1)).days


def table(first, names):
    return Table.from_pydict({
        "id": Array(list(range(first, first + len(names))), DataType.int64()),
        "name": Array(names, DataType.utf8()),
        "day": Array([FIRST_DAY + i % 3 for i in range(len(names))], DataType.int32()).cast(DataType.date32()),
    })


def append(path, first, **options):
    write_deltalake(path, table(first, ["a", "b", "c"]), mode="append", **options)


def plain(path):
    append(path, 0)
    append(path, 3)
    append(path, 6)
    write_deltalake(path, table(9, ["d", "e"]), mode="overwrite")
    append(path, 11)
    DeltaTable(path).delete("id = 9")
    DeltaTable(path).update(updates={"name": "'z'"}, predicate="id = 12")
    DeltaTable(path).optimize.compact()
    DeltaTable(path).restore(2)


def partitioned(path):
    write_deltalake(path, table(0, AWKWARD), partition_by=["name"])
    write_deltalake(path, table(100, AWKWARD), mode="append")
    DeltaTable(path).delete("id < 100")
    DeltaTable(path).create_checkpoint()
    write_deltalake(path, table(200, AWKWARD), mode="append")


def dated(path):
    append(path, 0, partition_by=["day", "name"])
    append(path, 3)
    DeltaTable(path).delete("day = '2026-11-02'")


def checkpointed(path):
    for i in range(25):
        append(path, 3 * i)
        if i in (10, 20):
            DeltaTable(path).create_checkpoint()
        if i % 6 == 5:
            DeltaTable(path).delete(f"id < {3 * i - 4}")


def mapped(path):
    append(path, 0, configuration={"delta.columnMapping.mode": "name"})
    append(path, 3)
    DeltaTable(path).create_checkpoint()


def vacuumed(path):
    append(path, 0)
    write_deltalake(path, table(9, ["d", "e"]), mode="overwrite")
    DeltaTable(path).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)


def cleaned(path):
    append(path, 0, configuration={"delta.logRetentionDuration": "interval 1 day"})
    for i in range(1, 8):
        append(path, 3 * i)
        if i == 5:
            DeltaTable(path).create_checkpoint()
    log = os.path.join(path, "_delta_log")
    for i in range(5):
        old = datetime.datetime.now().timestamp() - (60 - i) * 86400
        os.utime(os.path.join(log, f"{i:020}.json"), (old, old))
    DeltaTable(path).cleanup_metadata()


def compacted(path):
    for i in range(6):
        append(path, 3 * i)
    DeltaTable(path).compact_logs(1, 4)


MICROSECONDS = 1577836800_000000  # 2020-01-01


def typed_rows(first):
    """Three rows and one of nulls, with a column of every type that a table can be partitioned by."""

    def column(values, kind, via=None):
        values = [*values, None]
        return Array(values, via).cast(kind) if via else Array(values, kind)

    day, time, zoned = DataType.date32(), DataType.timestamp("us"), DataType.timestamp("us", tz="UTC")
    integer, long = DataType.int32(), DataType.int64()
    return Table.from_pydict({
        "id": Array([first + i for i in range(4)], long),
        "s": column(["a", "", "x y"], DataType.utf8()),
        "b": column([True, False, True], DataType.bool()),
        "i8": column([-1, 0, 7], DataType.int8()),
        "i16": column([-1, 0, 7], DataType.int16()),
        "i32": column([-1, 0, 7], integer),
        "i64": column([-1, 0, 2**60], long),
        "f": column([0.1, -0.0, 1e20], DataType.float32()),
        "d": column([0.1, float("nan"), float("inf")], DataType.float64()),
        "m": column([1, 2, 12], DataType.decimal128(10, 2), long),
        "day": column([18262, -1, 0], day, integer),
        "ts": column([MICROSECONDS, MICROSECONDS + 123456, -1], zoned, long),
        "tn": column([MICROSECONDS, MICROSECONDS + 123000, -1], time, long),
        "x": column([b"\x01\x02", b"abc", b"\xff\x00"], DataType.binary()),
    })


def typed(path, **options):
    rows = typed_rows(0)
    write_deltalake(path, rows, partition_by=rows.column_names[1:], **options)
    write_deltalake(path, typed_rows(10), mode="append")
    DeltaTable(path).delete("id = 1 or id = 3")
    DeltaTable(path).create_checkpoint()
    for first in (20, 30, 40):
        write_deltalake(path, typed_rows(first), mode="append")
        DeltaTable(path).delete(f"id = {first} or id = {first - 8}")
    DeltaTable(path).compact_logs(0, 5)
    DeltaTable(path).compact_logs(3, 7)
    write_deltalake(path, typed_rows(50), mode="append")


def typed_mapped(path):
    typed(path, configuration={"delta.columnMapping.mode": "name"})


MAKERS = [plain, partitioned, dated, checkpointed, mapped, vacuumed, cleaned, compacted, typed, typed_mapped]


def files(path):
    out = {}
    newest = DeltaTable(path).version()
    root = os.path.realpath(path)
    for version in range(newest + 1):
        try:
            uris = DeltaTable(path, version=version).file_uris()
        except (DeltaError, OSError, ValueError):
            out[version] = None
            continue
        out[version] = sorted(os.path.relpath(os.path.realpath(uri), root) for uri in uris)
    return out


def rows(path):
    out = {}
    for batch in DeltaTable(path).deletion_vectors():
        for name, keep in zip(batch["filepath"].to_pylist(), batch["selection_vector"].to_pylist()):
            out[os.path.basename(name)] = sum(not k for k in keep)
    return out


def main():
    command, path = sys.argv[1:]
    if command == "make":
        for maker in MAKERS:
            maker(os.path.join(path, maker.__name__))
    else:
        json.dump({"files": files, "rows": rows}[command](path), sys.stdout)


main()
