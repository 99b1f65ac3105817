"""Runs manifest.py for several cases with one Spark.

stdin is a JSON array of cases, stdout gets the array of their answers. A case has either `argv`, and is answered with status,
stdout and stderr of main; or path, output, uri and partitions, and is answered with dirHash, or with refused, misused or
failed and the reason. With `after`, the name of a function of manifest.py, its file `file` is changed (`how`) when that function
returns: in the driver or, for what the executors call, there. The function `without` does nothing. `reads` counts how often a file was hashed.
"""

import contextlib
import io
import json
import os
import sys
import tempfile

import manifest
from pyspark.sql import SparkSession


def append(path):
    with open(path, "ab") as f:
        f.write(b"x")


def touch(path):
    os.utime(path, ns=(0, os.stat(path).st_mtime_ns + 1))


def link(path):
    os.remove(path)
    os.symlink("/etc/passwd", path)


def fail(path):
    raise PermissionError(13, "not today")


CHANGES = {"append": append, "touch": touch, "remove": os.remove, "link": link, "fail": fail}


def meddled(real, case):
    """A function that does what real does and then changes the case's file, if it was called for that one at all."""
    change, path = CHANGES[case["how"]], os.path.join(case["path"], case["file"])

    def function(*arguments):
        answer = real(*arguments)
        if case["after"] != "check" or arguments[1].name == case["file"]:
            change(path)
        return answer

    return function


def counted(real, log):
    def function(root, file):
        with open(log, "a") as f:
            f.write("1")
        return real(root, file)

    return function


@contextlib.contextmanager
def patched(name, function):
    real = getattr(manifest, name)
    setattr(manifest, name, function)
    try:
        yield
    finally:
        setattr(manifest, name, real)


def run(spark, case, log):
    with contextlib.ExitStack() as patches:
        patches.enter_context(patched("hash_file", counted(manifest.hash_file, log)))
        if "after" in case:
            patches.enter_context(patched(case["after"], meddled(getattr(manifest, case["after"]), case)))
        if "without" in case:
            patches.enter_context(patched(case["without"], lambda *arguments: None))
        try:
            return {"dirHash": manifest.run(spark, case["path"], case["output"], case.get("uri", ""), case.get("partitions", 3))}
        except manifest.Refused as e:
            return {"refused": str(e)}
        except manifest.Misused as e:
            return {"misused": str(e)}
        except Exception as e:
            return {"failed": str(e)}


def command(argv):
    sys.argv = ["manifest.py", *argv]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            status = manifest.main()
        except SystemExit as e:  # argparse
            status = e.code
    return {"status": status, "stdout": out.getvalue(), "stderr": err.getvalue()}


def answer(spark, case):
    if "argv" in case:
        return command(case["argv"])
    with tempfile.NamedTemporaryFile() as log:
        return run(spark, case, log.name) | {"reads": os.path.getsize(log.name)}


def main():
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    json.dump([answer(spark, case) for case in json.load(sys.stdin)], sys.stdout)


main()
