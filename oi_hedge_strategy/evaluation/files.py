"""Write whole files or none."""

import os
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> Path:
    """
    Write a file so that a reader sees the old one or the new one, never a part.

    Parameters
    ----------
    path : Path
        The file; its folder is made where it is missing.
    content : bytes
        The content.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write text as UTF-8, in the manner of `write_bytes`."""
    return write_bytes(path, text.encode("utf-8"))
