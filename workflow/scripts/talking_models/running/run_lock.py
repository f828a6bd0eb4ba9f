"""One run at a time in a results folder, by a lock that ends with the process that holds it."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What file systems without locks say, such as NFS or Lustre mounted without them."""


class RunLock:
    """A lock on a file; nothing is left to clean up after a kill."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.file = None

    def acquire(self) -> None:
        """Take the lock and hold it as long as this object, at most until the process ends.

        Where the file system has no locks, a warning is all there is.

        Raises:
            RuntimeError: another process holds it; the message gives its id.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = open(self.path, "a+")  # noqa: SIM115  held until the process ends
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise RuntimeError(
                f"another run (process {holder}) is writing to {self.path.parent}: wait for it, "
                "or give this one its own folder with --config results=FOLDER"
            ) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            log.warning(
                "%s: the file system has no locks (%s): see to it yourself that one run at a time "
                "writes there",
                self.path.parent,
                error.strerror,
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self.file = file
