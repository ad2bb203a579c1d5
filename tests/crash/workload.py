"""Clients of the crash test: what they do, what the server acknowledged or revealed to them and when, and what must
therefore be there after the server was killed. `limit` below is a time: what was acknowledged or revealed until then must
be kept, what came later may be kept, and nothing may be there that was never sent."""
import json
import random
import re
import threading
import time

from wire import Connection, ReplyError, encode, plain

SHARED_DB = 15
COUNTERS, QUEUES, OWNED = 4, 2, 300
LIBRARY = """#!lua name=crash
redis.register_function('run', function(keys, args)
  for _, c in ipairs(cjson.decode(args[1])) do redis.call(unpack(c)) end
  return 'OK'
end)"""
SCRIPT = "for _, c in ipairs(cjson.decode(ARGV[1])) do redis.call(unpack(c)) end return 'OK'"
# The message is there before the script's end, and it runs on for some slices.
ANNOUNCE = "local n = redis.call('INCR', KEYS[1]) redis.call('PUBLISH', 'announced', n) for i = 1, ARGV[1] do n = n + 0 end return n"


class Failure(Exception):
    """A promise was broken."""


class Worker(threading.Thread):
    """One connection's life in one round. It ends when the server does."""

    def __init__(self, port, seed, db=SHARED_DB):
        super().__init__(daemon=True)
        self.rng = random.Random(seed)
        self.connection = Connection(port)
        self.connection.call("SELECT", db)
        self.problem = None

    def run(self):
        try:
            while True:
                self.step()
        except (ConnectionError, OSError):
            pass
        except ReplyError as error:
            self.problem = f"{type(self).__name__}: unexpected error reply: {error}"
        finally:
            self.connection.close()

    def step(self):
        raise NotImplementedError


# --- A writer with a database of its own: afterwards its data is what some first part of its commands makes, all that
# were acknowledged among them; so order, and MULTI and scripts whole or absent, are part of the check.

def short(commands):
    return re.sub("v{10,}", "v…", str(commands))


def changed(state, change):
    """Does to the model what the command does to the data; the key that it touched."""
    verb, key, *rest = change
    if verb == "SET":
        state[key] = rest[0]
    elif verb == "INCRBY":
        state[key] = str(int(state.get(key, "0")) + int(rest[0]))
    elif verb == "APPEND":
        state[key] = state.get(key, "") + rest[0]
    elif verb == "RPUSH":
        state.setdefault(key, []).extend(rest)
    elif verb == "LPOP":
        if key in state:
            state[key].pop(0)
            if not state[key]:
                del state[key]
    elif verb == "HSET":
        state.setdefault(key, {}).update({rest[0]: rest[1]})
    elif verb == "SADD":
        state.setdefault(key, set()).add(rest[0])
    elif verb == "SREM":
        if key in state:
            state[key].discard(rest[0])
            if not state[key]:
                del state[key]
    elif verb == "ZADD":
        state.setdefault(key, {}).update({rest[1]: rest[0]})
    elif verb == "XADD":
        state.setdefault(key, []).append((rest[0], rest[2]))
    elif verb == "DEL":
        state.pop(key, None)
    elif verb == "FLUSHDB":
        state.clear()
    else:
        raise AssertionError(verb)
    return key


def fetch(connection, db):
    """The whole database, as the model has it."""
    connection.call("SELECT", db)
    keys = sorted(connection.call("KEYS", "*"))
    reads = {b"string": ("GET",), b"list": ("LRANGE", 0, -1), b"hash": ("HGETALL",), b"set": ("SMEMBERS",),
             b"zset": ("ZRANGE", 0, -1, "WITHSCORES"), b"stream": ("XRANGE", "-", "+")}
    kinds = [plain(r) for r in connection.pipeline([("TYPE", key) for key in keys])] if keys else []
    values = connection.pipeline([(reads[kind][0], key, *reads[kind][1:]) for kind, key in zip(kinds, keys)]) if keys else []
    state = {}
    for key, kind, value in zip(keys, kinds, values):
        value = plain(value)
        if kind == b"stream":
            value = [(entry.decode(), fields[1].decode()) for entry, fields in value]
        elif kind != b"string":
            value = [item.decode() for item in value]
            if kind in (b"hash", b"zset"):
                value = dict(zip(value[::2], value[1::2]))
            elif kind == b"set":
                value = set(value)
        else:
            value = value.decode()
        state[key.decode()] = value
    return state


class Writer(Worker):
    def __init__(self, port, seed, number, state):
        super().__init__(port, seed, number)
        self.number, self.state = number, state
        self.sent = []  # lists of changes; one list is whole or absent
        self.acknowledged = []  # times, in the same order
        self.n = 0

    def change(self):
        rng, self.n = self.rng, self.n + 1
        value = f"{self.number}-{self.n}-" + "v" * rng.choice((0, 0, 10, 100, 1000))
        verb = rng.choice(("SET", "SET", "INCRBY", "APPEND", "RPUSH", "RPUSH", "LPOP", "HSET", "SADD", "SREM", "ZADD", "XADD", "DEL"))
        if rng.random() < 0.002:
            return ("FLUSHDB", "")
        i = str(rng.randrange(4))
        return {"SET": ("SET", "s" + i, value), "INCRBY": ("INCRBY", "c" + i, str(self.n % 7)), "APPEND": ("APPEND", "a" + i, "x" * (self.n % 5)),
                "RPUSH": ("RPUSH", "l" + i, value, str(self.n)), "LPOP": ("LPOP", "l" + i), "HSET": ("HSET", "h" + i, "f" + str(self.n % 40), value),
                "SADD": ("SADD", "t" + i, str(self.n % 200)), "SREM": ("SREM", "t" + i, str(self.n % 100)),
                "ZADD": ("ZADD", "z" + i, str(self.n), "m" + str(self.n % 60)),
                "XADD": ("XADD", "x" + i, f"{int(time.time() * 1000)}{self.n:06d}-0", "f", value),
                "DEL": ("DEL", rng.choice("salhtzx") + i)}[verb]

    def command(self, change):
        return ("FLUSHDB",) if change[0] == "FLUSHDB" else change

    def step(self):
        kind = self.rng.choice(("plain", "pipeline", "multi", "script", "script", "function", "watch"))
        count = {"plain": 1, "pipeline": self.rng.choice((2, 16, 100))}.get(kind, self.rng.randint(2, 6))
        changes = [self.change() for _ in range(count)]
        commands = [self.command(change) for change in changes]
        together = kind not in ("plain", "pipeline")
        self.sent.extend([changes] if together else [[change] for change in changes])
        if kind in ("multi", "watch"):
            before = [("WATCH", "c0"), ("GET", "c0")] if kind == "watch" else []
            self.connection.send_raw(b"".join(map(encode, [*before, ("MULTI",), *commands, ("EXEC",)])))
            replies = [self.connection.read() for _ in range(len(before) + len(commands) + 2)]
            if plain(replies[-1]) is None:
                raise ReplyError("EXEC was refused")
            return self.acknowledged.append(time.time())
        if together:
            # Half of the scripts name their keys, half touch what they did not declare.
            keys = sorted({change[1] for change in changes}) if self.rng.random() < 0.5 else []
            head = ("EVAL", SCRIPT) if kind == "script" else ("FCALL", "run")
            self.connection.call(*head, len(keys), *keys, json.dumps(commands))
            return self.acknowledged.append(time.time())
        self.connection.send_raw(b"".join(map(encode, commands)))
        for _ in commands:
            plain(self.connection.read())
            self.acknowledged.append(time.time())

    def verify(self, connection, limit):
        """Returns the state found; how many commands beyond the acknowledged ones are there is of no interest."""
        found = fetch(connection, self.number)
        state = self.state
        must = sum(1 for at in self.acknowledged if at <= limit)
        for changes in self.sent[:must]:
            for change in changes:
                changed(state, change)
        differing = {key for key in state.keys() | found.keys() if state.get(key) != found.get(key)}
        first = sorted(differing)
        for changes in self.sent[must:]:
            if not differing:
                break
            touched = {changed(state, change) for change in changes}
            if "" in touched:
                touched = state.keys() | found.keys() | differing
            for key in touched:
                (differing.discard if state.get(key) == found.get(key) else differing.add)(key)
        if differing:
            key = first[0]
            raise Failure(f"writer {self.number}: no state between its {must} kept and {len(self.sent)} sent commands is what is "
                          f"there; differing after the kept ones: {first}; {key} is {str(found.get(key))[:300]}; last kept: "
                          f"{short(self.sent[max(must - 3, 0):must])}; next: {short(self.sent[must:must + 3])}")
        return found


# --- What many share. Numbers that only grow: no reply may have shown more than what is there afterwards.

class Marks:
    """Times and values by name, as the round's threads saw them."""

    def __init__(self):
        self.seen = []  # (time, name, value); append is atomic

    def note(self, name, value):
        self.seen.append((time.time(), name, value))

    def highest(self, limit):
        highest = {}
        for at, name, value in self.seen:
            if at <= limit and value > highest.get(name, 0):
                highest[name] = value
        return highest


class Sharer(Worker):
    """Adds to what all share; every reply tells what is there by then."""

    def __init__(self, port, seed, marks, number):
        super().__init__(port, seed)
        self.marks, self.number, self.n = marks, number, 0

    def step(self):
        self.n += 1
        counter = f"counter:{self.rng.randrange(COUNTERS)}"
        choice = self.rng.randrange(6)
        if choice == 0:
            self.marks.note(counter, self.connection.call("INCR", counter))
        elif choice == 1:
            self.marks.note("big", self.connection.call("RPUSH", "big", *[str(self.n)] * self.rng.randint(1, 30)))
        elif choice == 2:
            self.marks.note("announced", self.connection.call("EVAL", ANNOUNCE, 1, "announced", self.rng.choice((0, 0, 300000))))
        elif choice == 3:
            own = self.rng.randrange(OWNED)
            taken = self.connection.call("SET", f"own:{own}", f"{self.number}", "NX")
            self.marks.note(f"own:{own}", 1)
            if taken is not None:
                self.marks.note(f"own:{own}={self.number}", 1)
        elif choice == 4:
            names = [f"grow:{self.number}:{time.time_ns()}:{i}" for i in range(30)]
            self.connection.call("MSET", *[word for name in names for word in (name, "1")])
        else:
            replies = self.connection.pipeline([("MULTI",), ("INCR", counter), ("RPUSH", "big", "m"), ("EXEC",)])
            values = plain(replies[-1])
            self.marks.note(counter, values[0])
            self.marks.note("big", values[1])


class Reader(Worker):
    """Reads what others write, in every way; notes what it was shown."""

    def __init__(self, port, seed, marks):
        super().__init__(port, seed)
        self.marks = marks

    def step(self):
        counters = [f"counter:{i}" for i in range(COUNTERS)]
        choice = self.rng.randrange(8)
        if choice == 0:
            for name, value in zip(counters, self.connection.call("MGET", *counters)):
                self.marks.note(name, int(value or 0))
        elif choice == 1:
            self.marks.note("big", len(self.connection.call("LRANGE", "big", 0, -1)))  # on a worker once it is long
        elif choice == 2:
            script = "local all = {} for i, k in ipairs(ARGV) do all[i] = tonumber(redis.call('GET', k) or '0') end return all"
            keys = counters if self.rng.random() < 0.5 else []
            for name, value in zip(counters, self.connection.call("EVAL", script, len(keys), *keys, *counters)):
                self.marks.note(name, value)
        elif choice == 3:
            replies = self.connection.pipeline([("MULTI",), ("GET", counters[0]), ("LLEN", "big"), ("EXEC",)])
            values = plain(replies[-1])
            self.marks.note(counters[0], int(values[0] or 0))
            self.marks.note("big", values[1])
        elif choice == 4:
            own = self.rng.randrange(OWNED)
            value = self.connection.call("GET", f"own:{own}")
            if value is not None:
                self.marks.note(f"own:{own}={value.decode()}", 1)
        elif choice == 5 and self.rng.random() < 0.2:
            self.marks.note("grow", len(self.connection.call("KEYS", "grow:*")))
        elif choice == 6:
            counter = self.rng.choice(counters)
            self.marks.note(counter, int(self.connection.call("GETRANGE", counter, 0, -1) or 0))
        else:
            self.marks.note("announced", int(self.connection.call("GET", "announced") or 0))


class Listener(Worker):
    """A message tells of a write."""

    def __init__(self, port, seed, marks):
        super().__init__(port, seed)
        self.marks = marks
        self.connection.call("SUBSCRIBE", "announced")

    def step(self):
        try:
            self.marks.note("announced", int(plain(self.connection.read())[2]))
        except TimeoutError:
            pass


def verify_marks(connection, marks, limit):
    connection.call("SELECT", SHARED_DB)
    for name, least in marks.highest(limit).items():
        if name.startswith("own:"):
            key, _, owner = name.partition("=")
            found = connection.call("GET", key)
            if found is None or (owner and found.decode() != owner):
                raise Failure(f"a reply revealed {name}, but {key} is {found!r}")
            continue
        found = (connection.call("LLEN", name) if name == "big" else len(connection.call("KEYS", "grow:*")) if name == "grow"
                 else int(connection.call("GET", name) or 0))
        if found < least:
            raise Failure(f"a reply revealed {name} = {least}, but it is {found}")


# --- Elements that go through queues: each is there or was handed over, never both, never neither.

class Queue:
    def __init__(self, name):
        self.name, self.sent, self.next = name, set(), 0
        self.there = []
        self.pushed, self.popped = [], []  # (time, elements)

    def begin(self):
        self.pushed, self.popped, self.sent = [], [], set(self.there)

    def verify(self, connection, limit, consumers):
        connection.call("SELECT", SHARED_DB)
        moved = [item.decode() for item in connection.call("LRANGE", self.name + ":moved", 0, -1)]
        found = [item.decode() for item in connection.call("LRANGE", self.name, 0, -1)]
        everything = set(found) | set(moved)
        must = {item for at, items in self.pushed if at <= limit for item in items} | (set(self.there) if limit > 0 else set())
        gone = {item for at, items in self.popped if at <= limit for item in items}
        received = {item for _, items in self.popped for item in items}
        if len(everything) != len(found) + len(moved):
            raise Failure(f"{self.name}: an element is there twice")
        if not everything <= self.sent:
            raise Failure(f"{self.name}: elements that nobody sent: {sorted(everything - self.sent)[:5]}")
        if back := everything & gone:
            raise Failure(f"{self.name}: handed over and there again: {sorted(back)[:5]}")
        lost = must - everything - received
        if len(lost) > consumers:  # each may have been about to receive one
            raise Failure(f"{self.name}: acknowledged, not there, not handed over: {sorted(lost)[:5]}")
        self.there = found + moved


class Producer(Worker):
    def __init__(self, port, seed, queues):
        super().__init__(port, seed)
        self.queues = queues

    def step(self):
        queue = self.rng.choice(self.queues)
        items = [f"{queue.next + i}" for i in range(self.rng.choice((1, 1, 3)))]
        queue.next += len(items)
        queue.sent.update(items)
        choice = self.rng.randrange(3)
        if choice == 0:
            self.connection.call("RPUSH", queue.name, *items)
        elif choice == 1:
            plain(self.connection.pipeline([("MULTI",), ("RPUSH", queue.name, *items), ("INCR", "counter:0"), ("EXEC",)])[-1])
        else:
            self.connection.call("EVAL", "return redis.call('RPUSH', KEYS[1], unpack(ARGV))", 1, queue.name, *items)
        queue.pushed.append((time.time(), items))


class Consumer(Worker):
    def __init__(self, port, seed, queues):
        super().__init__(port, seed)
        self.queues = {queue.name: queue for queue in queues}

    def step(self):
        names = list(self.queues)
        choice = self.rng.randrange(4)
        if choice == 0:
            reply = self.connection.call("BLPOP", *names, 0.3)
            reply = reply and (reply[0], [reply[1]])
        elif choice == 1:
            reply = self.connection.call("BLMPOP", 0.3, len(names), *names, "LEFT", "COUNT", 1)
        elif choice == 2:
            name = self.rng.choice(names)
            item = self.connection.call("BRPOP", name, 0.3)
            reply = item and (item[0], [item[1]])
        else:
            self.connection.call("BLMOVE", names[0], names[0] + ":moved", "LEFT", "RIGHT", 0.1)
            reply = self.connection.call("LPOP", names[0] + ":moved")
            reply = reply and (names[0].encode(), [reply])
        if reply:
            name, items = reply
            self.queues[name.decode()].popped.append((time.time(), [item.decode() for item in items]))
