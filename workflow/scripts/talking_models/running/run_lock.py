"""One run at a time in a results folder, by a lock that ends with the process that holds it."""

import errno
import fcntl
import logging
import os
from pathlib import Path


def lock(path: str | Path) -> None:
    """Lock a file until this process ends; warn without locks, a RuntimeError if it is locked, or
    cannot be made.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)  # a number, which Python never closes
    except OSError as error:
        raise RuntimeError(
            f"no results can be written: {error}; let this user write there, or give this run its "
            "own folder with --config results=FOLDER"
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise RuntimeError(
            f"another run (process {path.read_text().strip() or 'unknown'}) is writing to "
            f"{path.parent}: wait for it, or give this one its own folder with --config "
            "results=FOLDER"
        ) from None
    except OSError as error:
        # what NFS and Lustre say where they are mounted without locks
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        logging.getLogger(__name__).warning(
            f"{path.parent}: the file system has no locks ({error.strerror}): see to it yourself "
            "that one run at a time writes there"
        )
    os.truncate(file, 0)
    os.write(file, f"{os.getpid()}\n".encode())
