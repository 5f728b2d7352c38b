"""`dhcpcore.contracts.FileStore` on a real file system.

Knows the file system; knows nothing of what is in the files.  Remembers nothing: every call looks at the disk.

- *Atomic.*  A text is written to a hidden file in the same directory, which then takes the old one's place by
  rename(2): who has the old file open goes on reading it, who opens it later has the new one.  dnsmasq ignores names
  that begin with a dot (dnsmasq(8), --dhcp-hostsdir).  A kill in between leaves that hidden file; the next write of the
  same path takes it over, and a removal removes it too; so one path has one writer at a time, which is what the order
  within an instance gives.
- *Modes.*  Files 0644, directories that are made 0755, whatever the umask: dnsmasq reads its files after it has dropped
  its privileges, at the start too.  The directory that a file is written to is made 0755 at least; those above stay as
  they are.  Modes are not read: what somebody took away is given back with the next write.  New directories belong to
  whom the one belongs that they are made in, as far as that may be.
- *What is no file* (a FIFO, socket, device, a symbolic link that leads to itself) is none: a write takes its place.
- *No fsync* unless `durable`: after a crash of the machine no dnsmasq runs, and everything is rendered and compared
  anew before one does.  With `durable` the text is on the disk, under its name, when `write` returns; each
  write then costs what the disk needs for two flushes, some milliseconds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

from dhcpcore import AdapterError
from dhcpcore_adapters.plain_files import read_plain

_FILE_MODE: Final = 0o644
_DIRECTORY_MODE: Final = 0o755

_NEXT: Final = {
    errno.EACCES: "let the agent's user write there, or run it as root",
    errno.EPERM: "let the agent's user write there, or run it as root; look for the immutable flag with lsattr",
    errno.ENOSPC: "free space, or inodes (df -i), on that file system",
    errno.EDQUOT: "raise the quota of the agent's user, or free space",
    errno.EROFS: "mount that file system writable; when that came by itself, look for disk errors in dmesg",
    errno.EIO: "look for disk errors in dmesg",
    errno.EISDIR: "a directory is where a file belongs: move it away",
    errno.ENOTDIR: "a file is where a directory belongs: move it away",
    errno.EEXIST: "a file is where a directory belongs: move it away",
    errno.ELOOP: "a symbolic link leads to itself: remove it",
    errno.EBUSY: "something is mounted on it: unmount that (findmnt tells what)",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise fs.file-max",
}


class DiskFileStore:
    """The files of instances and proxies on the local disk.

    Args:
        durable: flush each written file, and its directory, to the disk before `write` returns.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable

    def read(self, path: str) -> str | None:
        """The text, None when there is no such file; bytes that are not UTF-8 come as surrogate escapes.

        Raises:
            AdapterError: it could not be read, or is larger than any that is ours.
        """
        try:
            data = read_plain(path)
        except (OSError, ValueError) as error:
            raise _failed("read", path, error) from None
        return None if data is None else data.decode("utf-8", "surrogateescape")

    def write(self, path: str, text: str) -> None:
        """Replace atomically; makes the directories it needs.

        Raises:
            AdapterError: it could not be written; the old text is still there, whole.
        """
        try:
            data = text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            message = f"cannot write {path}: character {error.start} of its text stands for no bytes (a lone surrogate)"
            raise AdapterError(message, retryable=False) from None
        directory = path.rpartition("/")[0]
        temporary = _temporary(path)
        try:
            try:
                self._write(temporary, data)
            except FileNotFoundError:
                _make_directory(directory)
                self._write(temporary, data)
            try:
                _open_up(directory)
                os.replace(temporary, path)
            except BaseException:
                _unlink(temporary)
                raise
            if self._durable:
                _flush(directory)
        except (OSError, ValueError) as error:
            raise _failed("write", path, error) from None

    def _write(self, path: str, data: bytes) -> None:
        with open(_new_file(path), "wb", buffering=0) as file:
            try:
                os.fchmod(file.fileno(), _FILE_MODE)
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) :]
                if self._durable:
                    os.fsync(file.fileno())
            except BaseException:
                _unlink(path)
                raise

    def remove(self, path: str) -> None:
        """Remove a file, or a directory with all in it; follows no symbolic link.  None there is fine."""
        try:
            for _ in range(3):
                try:
                    # What a write left that was killed goes with what it was to be.
                    _unlink(_temporary(path))
                    if not stat.S_ISDIR(os.lstat(path).st_mode):
                        os.unlink(path)
                        return
                    shutil.rmtree(path)
                except NotADirectoryError:
                    return
                except OSError as error:
                    if error.errno == errno.ELOOP:  # a directory above leads to itself: there is nothing in it
                        return
                    if error.errno != errno.ENOENT:
                        raise
                    # There is none; or, inside a directory, something went by itself, so the rest is still to go.
                    continue
        except (OSError, ValueError) as error:
            raise _failed("remove", path, error) from None

    def list(self, directory: str) -> Sequence[str]:
        """Names in a directory, sorted; none when there is no such directory."""
        try:
            return sorted(os.listdir(directory))
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return []
            raise _failed("list", directory, error) from None


def _temporary(path: str) -> str:
    directory, _, name = path.rpartition("/")
    return f"{directory}/.{name}.new"


def _new_file(path: str) -> int:
    """A descriptor of a file that nobody else has: what a killed writer left goes, and whatever else is there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, _FILE_MODE)
    except FileExistsError:
        try:
            os.unlink(path)
        except OSError as error:
            raise _failed("replace", path, error) from None
        return os.open(path, flags, _FILE_MODE)


def _open_up(directory: str) -> None:
    """Let everybody get at what is in it; what a link to a directory leads to is left as it is."""
    mode = os.lstat(directory).st_mode
    if stat.S_ISLNK(mode) or mode & _DIRECTORY_MODE == _DIRECTORY_MODE:
        return
    with contextlib.suppress(OSError):  # it is somebody else's, or has no modes
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) | _DIRECTORY_MODE)
        finally:
            os.close(descriptor)


def _make_directory(path: str) -> None:
    """Like os.makedirs, with a mode that the umask has no say in."""
    missing = []
    place = PurePath(path)
    while not os.path.isdir(place) and place != place.parent:
        missing.append(place)
        place = place.parent
    for each in reversed(missing):
        try:
            os.mkdir(each, _DIRECTORY_MODE)
        except FileExistsError:
            if not os.path.isdir(each):
                raise
        else:
            os.chmod(each, _DIRECTORY_MODE)
            _give_to_owner_of(each.parent, each)


def _give_to_owner_of(parent: PurePath, made: PurePath) -> None:
    """So that whoever owns the state can go on in it: Neutron's agent, which is not root, on a host that goes back."""
    owner = os.stat(parent)
    if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(OSError):  # only root may give things away, and in a user namespace not to everybody
            os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _flush(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _failed(verb: str, path: str, error: OSError | ValueError) -> AdapterError:
    if not isinstance(error, OSError):  # a NUL in the path
        return AdapterError(f"cannot {verb} {path!r}: {error}", retryable=False)
    name = errno.errorcode.get(error.errno or 0, "")
    hint = _NEXT.get(error.errno or 0)
    return AdapterError(f"cannot {verb} {path}: {error.strerror} ({name})" + (f"; {hint}" if hint else ""))
