"""Hashes a folder of any size with Spark, and writes the manifest and the digest file of `provenance digest`.

    manifest.py --path /Volumes/main/mortgages/raw/20261122T0000 \\
        --uri abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000/ --output /Volumes/main/builds/provenance/81462

--path is what every machine of the cluster sees: a volume of Unity Catalog, a mount under /dbfs, or a local folder with
local[N]. --uri says which place in the storage it is a view of. --output gets two files:

    manifest.sha256   a line `HEX  PATH` for each file, in byte order of the paths: its SHA-256 is the folder's dirHash
    manifest.jsonl    the same with sizes and times, as shard 1/1, for `provenance record --data train=URI --manifest FILE`

The driver lists the folder, the executors read the files (each once, in pieces of 1 MiB), and Spark sorts the digests and
streams them to the driver: no machine holds the contents of a file, and the driver holds the names only. Then the folder is
listed again. Names that begin with _ or . are files as any other, though Spark's own readers hide them.

The folder of a Delta table is hashed like any other, with the files of all its versions, which is not what `provenance record`
takes of a table: leave tables to `provenance digest`.

Nothing is written when the folder is not what it should be: a link or a special file in it, a name that a manifest cannot
hold, no file at all, or a file that changed meanwhile. What an earlier run left in --output is removed first.

In a notebook, or a notebook task, with this file beside it:

    from manifest import run
    run(spark, path="/Volumes/…", uri="abfss://…", output="/Volumes/…")

It needs PySpark 3.5 or newer, Python 3.10 or newer, and compute that can cache a DataFrame: a cluster of a job or of people,
not serverless. Exit status: 0 done, 1 the folder is refused, 2 usage, 3 something could not be read or Spark failed.
"""

import argparse
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from datetime import datetime, timezone
from typing import Iterator, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from pyspark import cloudpickle
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

FORMAT = "https://github.com/seed-3480f271/provenance/spec/folder-digest/v1"
PIECE = 1 << 20  # bytes that are read at once
SETTLED = 2  # seconds

# The executors get the functions of this file with the job: in a notebook, they could not import it.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Refused(Exception):
    """The folder is not fit to be recorded."""


class Misused(Exception):
    """An argument is wrong."""


class File(NamedTuple):
    """A file as it was listed. Files compare by name first: code points order as UTF-8 bytes do."""

    name: str  # slash-separated, relative to the folder
    size: int  # bytes
    modified: int  # nanoseconds since 1970
    changed: int  # when anything of it changed (ctime), nanoseconds since 1970; 0 for a view of a storage, which has no such time
    inode: str  # its number in the file system, which another file that is put in its place has not; 0, too


def run(spark: SparkSession, path: str, output: str, uri: str = "", partitions: int = 200) -> str:
    """Writes both files into the folder output and returns the dirHash in hex. Without a uri, the path is the place."""
    root, uri = folder(path), place(uri, path)
    clear(root, output)
    local = uri.startswith("/")
    files = list_folder(root, local)
    if not files:
        raise Refused(f"{path} holds no files")
    with tempfile.TemporaryDirectory() as work:
        manifest, entries = os.path.join(work, "manifest"), os.path.join(work, "entries")
        dir_hash = write(hashed(spark, root, files, partitions), files, manifest, entries)
        again, listed = list_folder(root, local), time.time_ns()
        if again != files:
            raise Refused(f"{path} changed while it was hashed: {difference(files, again)}")
        publish(output, "manifest.sha256", b"", manifest)
        publish(output, "manifest.jsonl", header(uri, files, listed), entries)
    return dir_hash


# What the driver does first: the arguments, and the listing.


def folder(path: str) -> bytes:
    """The folder's real place. A link is refused: it may point elsewhere tomorrow."""
    path = path.rstrip("/") or "/"
    if os.path.islink(path):
        raise Misused(f"{path} is a symbolic link; name what it points to: {os.path.realpath(path)}")
    if not os.path.isdir(path):
        raise Misused(f"{path} is no folder that this machine sees")
    return os.fsencode(os.path.realpath(path))


def place(uri: str, path: str) -> str:
    """The folder's URI as the digest file has it: percent-encoded in one way, with a slash at the end, and without a secret."""
    parts = urlsplit(uri)
    if not parts.scheme:
        return os.path.realpath(uri or path).rstrip("/") + "/"
    if parts.query or parts.password:
        raise Misused("the URI has a query or a password in it; write it without")
    if parts.scheme not in ("abfss", "https") or not parts.hostname or parts.fragment or (parts.scheme == "abfss") != bool(parts.username):
        raise Misused("the URI is no abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH/")
    container = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{container}{parts.hostname}" + quote(unquote(parts.path), safe="$&+,/:;=@").rstrip("/") + "/"


def clear(root: bytes, output: str) -> None:
    """Makes the folder for the results, which must not lie in the one that is hashed, and removes what is in their place."""
    if os.path.commonpath([root, os.fsencode(os.path.realpath(output))]) == root:
        raise Misused(f"{output} lies in the folder that is to be hashed")
    os.makedirs(output, exist_ok=True)
    for name in ("manifest.sha256", "manifest.jsonl"):
        try:
            os.remove(os.path.join(output, name))
        except FileNotFoundError:
            pass


def list_folder(root: bytes, local: bool) -> list[File]:
    """Every file below root, sorted. Directories are not files, and nothing else may lie there."""
    files, folders = [], [root]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    files.append(file_of(root, entry, local))
    files.sort()
    return files


def file_of(root: bytes, entry: os.DirEntry, local: bool) -> File:
    path = os.path.relpath(entry.path, root)
    try:
        name, info = path.decode(), entry.stat(follow_symlinks=False)
    except UnicodeDecodeError:
        raise Refused(f"the file name {path!r} is not UTF-8") from None
    except FileNotFoundError:
        raise Refused(f"{path!r} vanished while the folder was listed") from None
    if not stat.S_ISREG(info.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(info.st_mode) else "a special file"
        raise Refused(f"{name!r} is {kind}, and only files can be recorded")
    if "\n" in name:
        raise Refused(f"the file name {name!r} has a newline in it")
    return File(name, info.st_size, info.st_mtime_ns, info.st_ctime_ns if local else 0, str(info.st_ino if local else 0))


# What the executors do.


def hash_file(root: bytes, file: File) -> str:
    """The SHA-256 of a file, a space, and when it was read in seconds since 1970. It must be what was listed, before and after."""
    settle(file)
    now = int(time.time())
    try:
        descriptor = os.open(root + b"/" + file.name.encode(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as e:
        if e.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise Refused(f"{file.name!r} vanished after it was listed, or not every machine of the cluster sees it") from None
        raise
    with open(descriptor, "rb", buffering=0) as body:
        check(body, file)
        digest, size, piece = hashlib.sha256(), 0, bytearray(PIECE)
        while count := body.readinto(piece):
            digest.update(memoryview(piece)[:count])
            size += count
        check(body, file)
    if size != file.size:
        raise Refused(f"{file.name!r} gave {size} bytes, and {file.size} were listed")
    return f"{digest.hexdigest()} {now}"


def settle(file: File) -> None:
    """Waits until a change that comes later would show: clocks of file systems tick coarsely, and the time of reading is kept in seconds."""
    if file.changed:
        time.sleep(min(SETTLED, max(0, file.changed / 10**9 + SETTLED - time.time())))


def check(body, file: File) -> None:
    info = os.fstat(body.fileno())
    same = (info.st_size, info.st_mtime_ns) == (file.size, file.modified) and (file.changed == 0 or (info.st_ctime_ns, str(info.st_ino)) == (file.changed, file.inode))
    if not stat.S_ISREG(info.st_mode) or not same:
        raise Refused(f"{file.name!r} changed after it was listed")


def hashed(spark: SparkSession, root: bytes, files: list[File], partitions: int) -> Iterator[tuple[str, str]]:
    """Name and hash_file of each file, sorted by the bytes of the name, which is how Spark compares strings."""
    # It reads, so it must run once only: Spark sorts what it kept, not what it would compute a second time.
    read = udf(lambda *file: hash_file(root, File(*file)), "string").asNondeterministic()
    table = spark.createDataFrame(files, "name string, size bigint, modified bigint, changed bigint, inode string").repartition(max(1, min(partitions, len(files))))
    kept = table.select("name", read(*File._fields).alias("hashed")).persist()
    try:
        for row in kept.orderBy("name").toLocalIterator(prefetchPartitions=True):
            yield row["name"], row["hashed"]
    except Exception as e:
        if refusal := re.search(r"Refused: (.*)", str(e)):  # Spark hands on the text of an executor's exception
            raise Refused(refusal.group(1)) from None
        raise
    finally:
        kept.unpersist()


# What the driver does last: the files.


def write(rows: Iterator[tuple[str, str]], files: list[File], manifest: str, entries: str) -> str:
    """Writes both files' lines, and returns the SHA-256 of the manifest."""
    dir_hash = hashlib.sha256()
    with open(manifest, "wb") as manifest_file, open(entries, "wb") as entries_file:
        for file, (name, result) in zip(files, rows, strict=True):
            if name != file.name:
                raise RuntimeError(f"Spark answered for {name!r} where {file.name!r} was due")
            digest, read = result.split(" ")
            line = f"{digest}  {name}\n".encode()
            dir_hash.update(line)
            manifest_file.write(line)
            entry = {"name": name, "size": str(file.size), "modified": rfc3339(file.modified), "sha256": digest,
                     "hashedAt": rfc3339(int(read) * 10**9)}
            entries_file.write(json_line(entry | ({"changed": str(file.changed), "inode": file.inode} if file.changed else {})))
    return dir_hash.hexdigest()


def header(uri: str, files: list[File], listed: int) -> bytes:
    """The first line of the digest file. listed is when the last listing was complete."""
    return json_line({"format": FORMAT, "uri": uri, "shard": "1/1", "listing": listing_digest(files), "files": str(len(files)),
                      "bytes": str(sum(f.size for f in files)), "entries": str(len(files)), "listedAt": rfc3339(listed)})


def listing_digest(files: list[File]) -> str:
    """The SHA-256 of a line `SIZE ETAG MODIFIED NAME` for each file; a file system has no ETag."""
    digest = hashlib.sha256()
    for f in files:
        digest.update(f"{f.size} - {rfc3339(f.modified)} {f.name}\n".encode())
    return digest.hexdigest()


def rfc3339(nanoseconds: int) -> str:
    """A time in UTC, with as many digits of a second as it has, up to nine."""
    seconds, rest = divmod(nanoseconds, 10**9)
    text = datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None).isoformat()
    return text + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


def json_line(value: dict[str, str]) -> bytes:
    """One line of JSON with the escapes that Go's encoding/json writes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode() + b"\n"


def publish(output: str, name: str, first: bytes, rest: str) -> None:
    """Writes a result under another name and renames it: whoever finds it finds all of it. Volumes take no random writes."""
    part = os.path.join(output, name + ".part")
    with open(part, "wb") as target, open(rest, "rb") as source:
        target.write(first)
        shutil.copyfileobj(source, target, PIECE)
    os.replace(part, os.path.join(output, name))


def difference(before: list[File], after: list[File]) -> str:
    old, new = {f.name: f for f in before}, {f.name: f for f in after}
    changes = {"added": [n for n in new if n not in old], "removed": [n for n in old if n not in new],
               "modified": [n for n in new if n in old and new[n] != old[n]]}
    return ", ".join(f"{len(names)} {how} ({names[0]!r}{', …' if names[1:] else ''})" for how, names in changes.items() if names)


def main() -> int:
    parser = argparse.ArgumentParser(description="Hash a folder with Spark and write its provenance manifest.")
    parser.add_argument("--path", required=True, help="the folder, as every machine of the cluster sees it")
    parser.add_argument("--output", required=True, help="the folder for manifest.sha256 and manifest.jsonl")
    parser.add_argument("--uri", default="", help="the place that --path is a view of: abfss://…, or another path (default: --path)")
    parser.add_argument("--partitions", type=int, default=200, help="how many parts Spark works on, some for each core (default 200)")
    arguments = parser.parse_args()
    try:
        print("dirHash", run(SparkSession.builder.appName("provenance manifest").getOrCreate(), **vars(arguments)))
        return 0
    except Refused as e:
        status, reason = 1, f"refused: {e}"
    except Misused as e:
        status, reason = 2, str(e)
    except Exception as e:
        status, reason = 3, f"undecided: {e}"
    print("manifest.py:", reason, file=sys.stderr)
    return status


if __name__ == "__main__":
    if status := main():  # Databricks takes any SystemExit for a failure
        sys.exit(status)
