"""What a disk holds after a power cut, worked out from the records of tests/crash/recorded_files.h.

The model is what POSIX promises and no more: a file's bytes are there once the file was synced, a name is as it was when
its directory was synced. What came later may be there or not: of a file the writes up to any byte, perhaps followed by
zeros; of a directory none of the changes, the first few, or any of them."""
import bisect
import os
import shutil
import struct

HEAD = struct.Struct("<QQQc")


class Content:
    """A file: what is durable, and what was done since."""

    def __init__(self, durable=b""):
        self.durable, self.pending, self.sequences = bytearray(durable), [], []

    def change(self, sequence, change):
        self.pending.append(change)
        self.sequences.append(sequence)

    def sync(self, before):
        count = bisect.bisect_left(self.sequences, before)
        for change in self.pending[:count]:
            self.apply(change)
        del self.pending[:count], self.sequences[:count]

    def apply(self, change):
        if isinstance(change, int):  # truncated
            del self.durable[change:]
            self.durable.extend(bytes(change - len(self.durable)))
        else:
            self.durable += change

    def cut(self, rng):
        chance = rng.random()
        if chance < 0.25:
            kept = 0
        elif chance < 0.45:
            kept = len(self.pending)
        else:
            kept = rng.randint(0, len(self.pending))
        for change in self.pending[:kept]:
            self.apply(change)
        rest = [change for change in self.pending[kept:]]
        if not rest or isinstance(rest[0], int):
            return
        part = rng.randint(0, len(rest[0]))
        self.durable += rest[0][:part]
        if rng.random() < 0.3:  # the file's new size got there, its blocks did not
            lost = sum(len(change) for change in rest if not isinstance(change, int)) - part
            self.durable += bytes(rng.randint(0, lost))


class Change:
    """Of a directory: `removed` and `added` names at once."""

    def __init__(self, added=None, target=None, removed=None, needs=None):
        self.added, self.target, self.removed, self.needs, self.done = added, target, removed, needs, False

    def apply(self, names):
        if self.needs is not None and not self.needs.done:
            return  # the other half of a move between directories: nothing vanishes before it arrived
        if self.removed is not None:
            names.pop(self.removed, None)
        if self.added is not None:
            names[self.added] = self.target
        self.done = True


class Directory:
    def __init__(self):
        self.durable, self.names, self.pending = {}, {}, []

    def change(self, change):
        self.pending.append(change)
        change.apply(self.names)
        change.done = False

    def sync(self):
        for change in self.pending:
            change.apply(self.durable)
        self.pending.clear()

    def cut(self, rng):
        chance = rng.random()
        if chance < 0.4:
            kept = []
        elif chance < 0.7:
            kept = self.pending[:rng.randint(0, len(self.pending))]
        else:
            kept = [change for change in self.pending if rng.random() < 0.5]
        for change in kept:
            change.apply(self.durable)


class Disk:
    """The data directory as it is now, all of it durable."""

    def __init__(self, folder):
        self.folder = folder
        self.directories = {"": Directory()}
        self.files = {}  # by inode number, which is used again once a file is gone
        for path, folders, names in os.walk(folder):
            here = self.directories[self.name(os.path.relpath(path, folder))]
            for name in folders:
                made = Directory()
                self.directories[self.name(os.path.relpath(os.path.join(path, name), folder))] = made
                here.durable[name] = here.names[name] = made
            for name in names:
                full = os.path.join(path, name)
                with open(full, "rb") as file:
                    content = self.files.setdefault(os.stat(full).st_ino, Content(file.read()))
                here.durable[name] = here.names[name] = content

    @staticmethod
    def name(path):
        path = os.path.normpath(path)
        return "" if path == "." else path

    def place(self, path):
        folder, name = os.path.split(self.name(path))
        return self.directories[folder], name

    def replay(self, records):
        """Everything that was done, in order."""
        for record in sorted(read_records(records)):
            self.step(*record)

    def step(self, sequence, number, change, detail):
        if change == b"w":
            self.files[number].change(sequence, detail)
        elif change == b"t":
            self.files[number].change(sequence, int(detail))
        elif change == b"s":
            self.files[number].sync(int(detail))
        elif change == b"c":
            self.files[number] = Content()
            directory, name = self.place(detail.decode())
            directory.change(Change(name, self.files[number]))
        elif change == b"d":
            directory, name = self.place(detail.decode())
            made = self.directories[self.name(detail.decode())] = Directory()
            directory.change(Change(name, made))
        elif change == b"x":
            directory, name = self.place(detail.decode())
            directory.change(Change(removed=name))
        elif change == b"y":
            self.directories[self.name(detail.decode())].sync()
        elif change in (b"r", b"l"):
            self.move(*detail.decode().split("\0"), keep=change == b"l")

    def move(self, old, new, keep):
        source, old_name = self.place(old)
        target, new_name = self.place(new)
        content = source.names[old_name]
        if keep:
            target.change(Change(new_name, content))
        elif source is target:
            target.change(Change(new_name, content, old_name))
        else:
            arrived = Change(new_name, content)
            target.change(arrived)
            arrived.done = True  # for the other half's view of now
            source.change(Change(removed=old_name, needs=arrived))
            arrived.done = False

    def cut(self, rng):
        """Decides what of the rest is there, and makes the folder so."""
        for directory in self.directories.values():
            directory.cut(rng)
        contents = {id(c): c for d in self.directories.values() for c in d.durable.values() if isinstance(c, Content)}
        for content in contents.values():
            content.cut(rng)
        shutil.rmtree(self.folder)
        os.mkdir(self.folder)
        self.write(self.directories[""], self.folder)

    def write(self, directory, path):
        for name, target in directory.durable.items():
            full = os.path.join(path, name)
            if isinstance(target, Directory):
                os.mkdir(full)
                self.write(target, full)
            else:
                with open(full, "wb") as file:
                    file.write(target.durable)


def read_records(folder):
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        at = 0
        while at + HEAD.size <= len(data):
            sequence, number, size, change = HEAD.unpack_from(data, at)
            at += HEAD.size
            if at + size > len(data):
                break  # torn: the process was killed in it
            yield sequence, number, change, data[at:at + size]
            at += size
