"""What runs in the victims of helpers/crashes.py: the shim that lets a process die, and where victims are forked."""

from __future__ import annotations

# Loaded by every Python process that has its folder on PYTHONPATH. Armed, it counts the calls that concern the
# journal and its neighbours (backups, temporary files, the folder itself; not the lock, not the log), and the chosen
# one is the last. A decoding child also loads it, but never touches the journal, so it is never counted.
SHIM = r'''
import builtins, io, os, signal, stat, tempfile
from contextlib import suppress

NAMES = "open close write fsync ftruncate link rename replace unlink chmod sendfile truncate".split()
real = {name: getattr(os, name) for name in NAMES if hasattr(os, name)}
real_open = io.open
journal = folder = mode = stash = ""
last = calls = 0
links_fail = False
PARTIAL = ("first byte", "half", "all but one")  # of a write: other calls do not count
seen = set()
descriptors = {}  # descriptor -> path
synced = {}  # inode -> how many of its bytes survive a power cut
undo = []  # how to take back the names that no fsync of the folder has made durable


def arm(path, step, how, no_links=False):
    global journal, folder, last, mode, calls, links_fail, stash
    journal = os.path.realpath(path)
    folder = os.path.dirname(journal)
    last, mode, calls, links_fail = step, how, 0, no_links
    stash = tempfile.mkdtemp(prefix="stash-", dir=os.path.dirname(folder))
    for entry in os.scandir(folder):
        if concerns(entry.path):
            synced[entry.inode()] = entry.stat().st_size


def concerns(path):
    if not journal or isinstance(path, int):
        return False
    path = os.path.abspath(os.fsdecode(path))
    return path == folder or (path.startswith(journal) and not path.endswith(".lock"))


def die():
    if mode.startswith("power"):
        if mode == "power, names lost":
            for take_back in reversed(undo):
                take_back()
        for entry in os.scandir(folder):
            if concerns(entry.path):
                kept, size = synced.get(entry.inode(), 0), entry.stat().st_size
                if size > kept:
                    os.chmod(entry.path, 0o600)
                    real["truncate"](entry.path, kept)
                    if mode == "power, zeros":  # the length survives, the bytes do not
                        real["truncate"](entry.path, size)
    os.kill(os.getpid(), signal.SIGKILL)


def count(name, whole, part=None):
    global calls
    seen.add(name)
    if mode in PARTIAL and part is None:
        return whole()
    calls += 1
    if calls != last:
        return whole()
    with suppress(OSError):
        if mode == "after":
            whole()
        elif part is not None:
            part()
    die()


def cut(data):
    size = len(data)
    return {"first byte": 1, "half": size // 2, "all but one": size - 1}.get(mode, 0)


def open_(path, flags, mode_=0o777, *, dir_fd=None):
    if not concerns(path):
        return real["open"](path, flags, mode_, dir_fd=dir_fd)
    def whole():
        new = flags & os.O_CREAT and not os.path.lexists(path)
        descriptor = real["open"](path, flags, mode_)
        descriptors[descriptor] = os.path.abspath(path)
        if new:
            synced[os.fstat(descriptor).st_ino] = 0
            undo.append(lambda: real["unlink"](path))
        return descriptor
    return count("open", whole)


def close(descriptor):
    descriptors.pop(descriptor, None)
    real["close"](descriptor)


def write(descriptor, data):
    if descriptor not in descriptors:
        return real["write"](descriptor, data)
    return count(
        "write", lambda: real["write"](descriptor, data), lambda: real["write"](descriptor, data[: cut(data)])
    )


def sendfile(out, source, offset, size):
    if out not in descriptors:
        return real["sendfile"](out, source, offset, size)
    size = min(size, os.fstat(source).st_size - offset)
    part = range(size)
    return count(
        "sendfile",
        lambda: real["sendfile"](out, source, offset, size),
        lambda: real["sendfile"](out, source, offset, cut(part)),
    )


def fsync(descriptor):
    if descriptor not in descriptors and not opened_for_reading(descriptor):
        return real["fsync"](descriptor)
    def whole():
        real["fsync"](descriptor)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            undo.clear()
        else:
            synced[status.st_ino] = status.st_size
    return count("fsync", whole)


def opened_for_reading(descriptor):
    inode = os.fstat(descriptor).st_ino
    return bool(journal) and any(entry.inode() == inode for entry in os.scandir(folder) if concerns(entry.path))


def ftruncate(descriptor, size):
    if descriptor not in descriptors:
        return real["ftruncate"](descriptor, size)
    return count("ftruncate", lambda: real["ftruncate"](descriptor, size))


def kept(path):
    """Give the file that is about to lose its name another one, so that a power cut can bring it back."""
    if not os.path.lexists(path):
        return None
    other = os.path.join(stash, str(len(os.listdir(stash))))
    real["link"](path, other)
    return other


def link(source, target, **more):
    if not concerns(target):
        return real["link"](source, target, **more)
    def whole():
        if links_fail:
            raise PermissionError(1, "no hard links here")
        real["link"](source, target)
        undo.append(lambda: real["unlink"](target))
    return count("link", whole)


def renaming(name):
    def renamed(source, target, **more):
        if not concerns(source) and not concerns(target):
            return real[name](source, target, **more)
        def whole():
            old = kept(target)
            real[name](source, target)
            def take_back():
                real["rename"](target, source)
                if old:
                    real["rename"](old, target)
            undo.append(take_back)
        return count(name, whole)
    return renamed


def unlink(path, **more):
    if not concerns(path):
        return real["unlink"](path, **more)
    def whole():
        old = kept(path)
        real["unlink"](path)
        undo.append(lambda: real["rename"](old, path))
    return count("unlink", whole)


def chmod(path, mode_, **more):
    if not concerns(path):
        return real["chmod"](path, mode_, **more)
    return count("chmod", lambda: real["chmod"](path, mode_))


class Raw(io.FileIO):
    def write(self, data):
        return os.write(self.fileno(), bytes(data))

    def close(self):
        if not self.closed:
            descriptors.pop(self.fileno(), None)
        super().close()


def file_open(path, mode_="r", *arguments, **more):
    if mode_ != "wb" or not concerns(path):
        return real_open(path, mode_, *arguments, **more)
    def whole():
        new = not os.path.lexists(path)
        raw = Raw(path, "wb")
        descriptors[raw.fileno()] = os.path.abspath(path)
        if new:
            synced[os.fstat(raw.fileno()).st_ino] = 0
            undo.append(lambda: real["unlink"](path))
        return io.BufferedWriter(raw, 4096)
    return count("open", whole)


os.open, os.close, os.write, os.fsync, os.ftruncate = open_, close, write, fsync, ftruncate
os.link, os.rename, os.replace, os.unlink = link, renaming("rename"), renaming("replace"), unlink
os.remove, os.chmod = unlink, chmod
if "sendfile" in real:
    os.sendfile = sendfile
io.open = builtins.open = file_open
if os.environ.get("CRASH_STEP"):
    arm(os.environ["CRASH_JOURNAL"], int(os.environ["CRASH_STEP"]), os.environ["CRASH_MODE"])
'''

# Imports the journal once, then forks a victim for each order: a process a death, without a second of start-up each.
STABLE = r"""
import json, os, sys
import sitecustomize
from journal import CaptionJournal, CaptionRecord

def caption(name):
    return f"a caption for {name} " + "é🐈" * (len(name) % 5)

def write(path, photos, batch, tell):
    journal = CaptionJournal(path)
    with journal.lock():
        journal.load()
        todo = [name for name in photos if not journal.is_done(name)]
        for start in range(0, len(todo), batch):
            names = todo[start : start + batch]
            records = [CaptionRecord(rel_path=n, caption=caption(n), status="success", model="mock") for n in names]
            journal.write_many(records)
            tell("".join(f"{name}\n" for name in names))

def compact(path, photos, batch, tell):
    journal = CaptionJournal(path)
    with journal.lock():
        journal.compact()
    tell("compacted\n")

def force(path, photos, batch, tell):
    journal = CaptionJournal(path)
    with journal.lock():
        journal.set_aside()
        tell("set aside\n")
        for name in photos:
            journal.write(name, caption(name), "success", model="mock")
            tell(f"{name}\n")

def people(path, photos, batch, tell):
    journal = CaptionJournal(path)
    with journal.lock():
        journal.load()
        for name in photos:  # what a person says, and at once a machine
            said = CaptionRecord(rel_path=name, caption=caption(name), status="success", by="person")
            journal.write_many([said])
            tell(f"{name}\n")
            journal.write(name, "a machine's", "success", model="mock")
        journal.compact()
        journal.forget_machines()
        journal.set_aside()
        journal.write("new.jpg", "a machine's", "success", model="mock")

for order in sys.stdin:
    order = json.loads(order)
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            sitecustomize.arm(order["path"], order["step"], order["mode"], order["no_links"])
            work = {"write": write, "compact": compact, "force": force, "people": people}[order["job"]]
            work(order["path"], order["photos"], order["batch"], lambda text: os.write(theirs, text.encode()))
            sitecustomize.count("end", lambda: None)  # the power may fail when all has been said
            os.write(theirs, ("calls " + " ".join(sorted(sitecustomize.seen)) + "\n").encode())
            os._exit(0)
        finally:
            import traceback
            traceback.print_exc()
            os._exit(1)
    os.close(theirs)
    with open(ours, encoding="utf-8") as pipe:
        said = pipe.read().splitlines()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps({"code": code, "said": said}), flush=True)
"""
