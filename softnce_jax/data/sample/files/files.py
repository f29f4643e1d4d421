import hashlib
import os
import tempfile
from collections import deque
from pathlib import Path


# task: count_file_lines
def count_lines(path):
    newlines = 0
    ending = b"\n"
    with open(path, "rb") as stream:
        while block := stream.read(1 << 16):
            newlines += block.count(b"\n")
            ending = block[-1:]
    return newlines + (ending != b"\n")


# task: count_nonblank_lines
def count_filled_lines(path, encoding="utf-8"):
    total = 0
    with open(path, encoding=encoding) as lines:
        for line in lines:
            if line.strip():
                total += 1
    return total


# task: file_sha256
def sha256_of_file(filename, chunk_size=65536):
    digest = hashlib.sha256()
    with open(filename, "rb") as source:
        for chunk in iter(lambda: source.read(chunk_size), b""):
            digest.update(chunk)
    return digest.hexdigest()


# task: find_files_by_extension
def find_by_extension(root, extension):
    wanted = "." + extension.lower().lstrip(".")
    matches = []
    for entry in Path(root).rglob("*"):
        if entry.is_file() and entry.suffix.lower() == wanted:
            matches.append(entry)
    return sorted(matches)


# task: atomic_file_write
def write_atomic(target, data):
    folder = os.path.dirname(os.path.abspath(target))
    handle, temporary = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


# task: last_lines_of_file
def tail(log_path, count=10):
    if count < 0:
        raise ValueError("count cannot be negative")
    with Path(log_path).open() as log:
        kept = deque(log, maxlen=count)
    return [text.rstrip("\n") for text in kept]


# end
