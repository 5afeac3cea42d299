"""Write whole files or none."""

import os
from pathlib import Path


def write_text(path: Path, text: str) -> Path:
    """
    Write text so that a reader sees the old file or the new one, never a part.

    Parameters
    ----------
    path : Path
        The file; its folder is made where it is missing.
    text : str
        The content, written as UTF-8.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
