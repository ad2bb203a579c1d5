"""A round of server_fuzz.py in which many connections on several reactors live all kinds of lives at once: commands of all
families, transactions, scripts, waiting, subscribing, MONITOR, killing, pausing and unblocking each other, settings that
change, commands sent by halves, sudden ends. Afterwards nothing of them may be left: no client, no waiter, no watch, no
subscription, no locked shard, no memory. What is sent follows from the seed; when it arrives does not."""
import random
import select
import socket
import struct
import time

from wire import Connection, ReplyError, encode

CONNECTIONS = 24
PING_SECONDS_MAX = 20
MEMORY_GROWTH_MAX = 24 << 20
LEFT = ("blocked_clients", "tracking_clients", "pubsub_clients", "pubsub_channels", "pubsub_patterns", "pubsubshard_channels",
        "watching_clients", "total_watched_keys", "total_blocking_keys", "total_blocking_keys_on_nokey")
SETTINGS = {
    "maxmemory-clients": ["0", "2mb", "20%"], "notify-keyspace-events": ["", "KEA", "Kx"], "hz": ["10", "100", "500"],
    "client-output-buffer-limit": ["normal 0 0 0 pubsub 32mb 8mb 60", "normal 200kb 50kb 1 pubsub 100kb 20kb 1"], "tracking-table-max-keys": ["0", "10", "1000"],
    "maxmemory-policy": ["noeviction", "allkeys-lru", "volatile-ttl", "allkeys-random"], "maxmemory": ["600mb", "30mb"], "slowlog-log-slower-than": ["-1", "0", "10000"],
    "latency-monitor-threshold": ["0", "1"], "lazyfree-lazy-user-flush": ["yes", "no"], "client-query-buffer-limit": ["1mb", "1gb"],
    "list-max-listpack-size": ["-2", "3"], "hash-max-listpack-entries": ["0", "128"], "busy-reply-threshold": ["20", "200", "5000"], "latency-tracking": ["yes", "no"],
    "lfu-decay-time": ["0", "1"], "maxclients": ["30", "10000"], "appendfsync": ["always", "everysec", "no"],
}
KEYS = ["s1", "h1", "l1", "l2", "z1", "x1", "set", "a", "b", "c", "d", "e", "f", "g"]
SCRIPTS = [
    "for i = 1, 3000000 do end return 1", "redis.call('rpush', KEYS[1], 1) for i = 1, 200000 do end return redis.call('lpop', KEYS[1])",
    "for i = 1, 300 do redis.call('set', 'k' .. i, i) end return redis.call('dbsize')", "return redis.call('get', ARGV[1])",
    "redis.call('publish', 'ch', 'x') redis.call('del', KEYS[1]) return redis.call('keys', '*')", "return redis.pcall('swapdb', 0, 1)",
    "#!lua flags=no-writes\nfor i = 1, 100000 do end return redis.call('exists', KEYS[1])", "error('out')",
]


def admin(rng):
    key, other, client = rng.choice(KEYS), rng.choice(KEYS), str(rng.randint(1, 40))
    wait = rng.choice(["0", "0.01", "0.1", "1"])
    setting = rng.choice(list(SETTINGS))
    return rng.choice([
        lambda: ["CLIENT", "KILL", "ID", client], lambda: ["CLIENT", "KILL", "TYPE", "pubsub"], lambda: ["CLIENT", "PAUSE", rng.choice(["1", "20", "100"]), rng.choice(["ALL", "WRITE"])],
        lambda: ["CLIENT", "UNPAUSE"], lambda: ["CLIENT", "UNBLOCK", client, rng.choice(["ERROR", "TIMEOUT"])], lambda: ["CLIENT", "NO-EVICT", rng.choice(["ON", "OFF"])],
        lambda: ["CLIENT", "TRACKING", "ON", *rng.choice([[], ["BCAST"], ["BCAST", "PREFIX", "a"], ["OPTIN"], ["OPTOUT"], ["REDIRECT", client], ["NOLOOP"]])],
        lambda: ["CLIENT", "TRACKING", "OFF"], lambda: ["CLIENT", "CACHING", rng.choice(["YES", "NO"])], lambda: ["CLIENT", "REPLY", rng.choice(["ON", "OFF", "SKIP"])],
        lambda: ["CLIENT", "LIST"], lambda: ["INFO", "everything"], lambda: ["CONFIG", "SET", setting, rng.choice(SETTINGS[setting])], lambda: ["CONFIG", "GET", "*"],
        lambda: ["MULTI"], lambda: ["MULTI"], lambda: ["EXEC"], lambda: ["EXEC"], lambda: ["DISCARD"], lambda: ["WATCH", key, other], lambda: ["UNWATCH"],
        lambda: ["BLPOP", key, other, wait], lambda: ["BLMOVE", "l1", "l2", "LEFT", "RIGHT", wait], lambda: ["BRPOPLPUSH", "l2", "l1", wait], lambda: ["BZPOPMIN", "z1", key, wait],
        lambda: ["BZMPOP", wait, "2", "z1", key, "MIN"], lambda: ["BLMPOP", wait, "2", "l1", "l2", "LEFT", "COUNT", "2"], lambda: ["XREAD", "BLOCK", rng.choice(["0", "50"]), "STREAMS", "x1", "$"],
        lambda: ["RPUSH", rng.choice(["l1", "l2", key]), "v", "w"], lambda: ["ZADD", "z1", "1", "m"], lambda: ["XADD", "x1", "*", "f", "v"], lambda: ["DEL", key, other, "l1"],
        lambda: ["RENAME", key, other], lambda: ["COPY", key, other, "REPLACE"], lambda: ["MOVE", key, "1"], lambda: ["SWAPDB", "0", "1"], lambda: ["SELECT", rng.choice("0012")],
        lambda: ["FLUSHDB", rng.choice(["ASYNC", "SYNC"])], lambda: ["FLUSHALL"], lambda: ["PEXPIRE", key, rng.choice(["1", "20"])], lambda: ["SET", key, "v", "PX", "5"],
        lambda: ["EVAL", rng.choice(SCRIPTS), "1", key, other], lambda: ["EVAL", rng.choice(SCRIPTS), "1", key, other], lambda: ["SCRIPT", rng.choice(["KILL", "FLUSH"])],
        lambda: ["MONITOR"], lambda: ["SUBSCRIBE", "ch", "__keyspace@0__:a"], lambda: ["PSUBSCRIBE", "*"], lambda: ["SSUBSCRIBE", "ch"], lambda: ["UNSUBSCRIBE"], lambda: ["PUNSUBSCRIBE"],
        lambda: ["PUBLISH", "ch", "m" * rng.choice([1, 5000])], lambda: ["RESET"], lambda: ["HELLO", rng.choice("23")], lambda: ["QUIT"], lambda: ["AUTH", "guest", "any"],
        lambda: ["ACL", "SETUSER", "guest", "on", "nopass", rng.choice(["+@all", "-@all", "-@write"]), rng.choice(["~*", "~a"]), rng.choice(["&*", "resetchannels"])],
        lambda: ["ACL", "DELUSER", "guest"], lambda: ["KEYS", "*"], lambda: ["SORT", "l1", "ALPHA", "STORE", "l2"], lambda: ["SET", "big", "x" * 300000], lambda: ["GET", "big"],
        lambda: ["SUNIONSTORE", "set", "manys", "set"], lambda: ["SORT", "manys", "LIMIT", "0", "1"], lambda: ["RENAME", "manys", "set"], lambda: ["DEBUG", "SLEEP", "0.01"],
        lambda: ["WAIT", "1", "20"], lambda: ["OBJECT", "FREQ", key], lambda: ["CONFIG", "RESETSTAT"], lambda: ["MEMORY", "USAGE", key], lambda: ["SCAN", str(rng.randrange(1 << 20))],
    ])()


class Life:
    def __init__(self, fuzzer, rng, seconds):
        self.fuzzer, self.rng, self.seconds = fuzzer, rng, seconds
        self.sockets, self.halves, self.history = [], {}, []
        self.silent = set()  # they do not read for a while

    def connect(self):
        one = socket.create_connection(("127.0.0.1", self.fuzzer.server.port), 10)
        one.setblocking(False)
        self.sockets.append(one)
        if self.rng.random() < 0.4:
            self.send(one, encode(["HELLO", "3"]))

    def drop(self, one):
        if self.rng.random() < 0.3:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
        self.sockets.remove(one)
        self.halves.pop(one, None)
        self.silent.discard(one)

    def send(self, one, data):
        try:
            sent = one.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return self.drop(one)
        if sent < len(data):
            self.halves[one] = data[sent:]
        return None

    def drain(self):
        readable, _, _ = select.select([s for s in self.sockets if s not in self.silent], [], [], 0)
        for one in readable:
            try:
                if not one.recv(1 << 18):
                    self.drop(one)
            except BlockingIOError:
                pass
            except OSError:
                self.drop(one)

    def step(self):
        rng = self.rng
        while len(self.sockets) < CONNECTIONS:
            self.connect()
        one = rng.choice(self.sockets)
        if one in self.halves:
            return self.send(one, self.halves.pop(one))
        commands = []
        for _ in range(rng.choice([1, 1, 2, 5, 12])):
            commands += [admin(rng)] if rng.random() < 0.7 else self.fuzzer.command(rng)
        data = b"".join(map(encode, commands))
        self.fuzzer.sent += len(commands)
        self.history.append((self.sockets.index(one), commands, data))
        del self.history[:-400]
        if rng.random() < 0.1:
            cut = rng.randrange(len(data) + 1)
            self.send(one, data[:cut])
            if one in self.sockets:
                self.halves[one] = self.halves.get(one, b"") + data[cut:]
        else:
            self.send(one, data)
        if one in self.sockets and rng.random() < 0.05:
            return self.drop(one)
        if rng.random() < 0.02:
            self.silent = set(rng.sample(self.sockets, 3))
        return self.drain()

    def run(self):
        """None, or what went wrong."""
        control = self.settle()
        control.pushes = []
        control.pipeline([["SADD", "manys"] + [str(j) for j in range(i, i + 1000)] for i in range(0, 20000, 1000)])
        end, next_ping = time.time() + self.seconds, 0.0
        while time.time() < end:
            self.step()
            if time.time() > next_ping:
                next_ping = time.time() + 0.5
                control = self.ping(control)
                if control is None:
                    return "no answer to PING"
        control.close()
        for one in self.sockets[:]:
            self.drop(one)
        return self.rest(self.settle())

    def ping(self, control):
        """A connection that was answered in time; others kill it now and then."""
        deadline = time.time() + PING_SECONDS_MAX
        while time.time() < deadline:
            try:
                control.socket.settimeout(PING_SECONDS_MAX)
                control.typed("PING")
                return control
            except TimeoutError:
                return None
            except (OSError, ConnectionError):
                try:
                    control = Connection(self.fuzzer.server.port, timeout=PING_SECONDS_MAX)
                except OSError:
                    if not self.fuzzer.server.alive():
                        return None
                    time.sleep(0.05)
        return None

    def settle(self):
        """Puts back what lives may have changed; a connection."""
        deadline = time.time() + 3 * PING_SECONDS_MAX
        while True:
            try:
                control = Connection(self.fuzzer.server.port, timeout=PING_SECONDS_MAX)
                control.call("CLIENT", "UNPAUSE")
                for name, values in SETTINGS.items():
                    control.call("CONFIG", "SET", name, values[-1] if name in ("maxclients", "client-query-buffer-limit") else values[0])
                for command in (["FLUSHALL", "SYNC"], ["FUNCTION", "FLUSH"], ["SCRIPT", "FLUSH"], ["SLOWLOG", "RESET"], ["ACL", "DELUSER", "guest"], ["ACL", "LOG", "RESET"],
                                ["LATENCY", "RESET"], ["CONFIG", "RESETSTAT"], ["MEMORY", "PURGE"]):
                    control.call(*command)
                return control
            except (ReplyError, OSError, ConnectionError) as error:
                if time.time() > deadline:
                    raise
                if isinstance(error, ReplyError) and "BUSY" in str(error):
                    control.typed("SCRIPT", "KILL")
                time.sleep(0.1)

    def rest(self, control):
        """What is left of them; None: nothing."""
        deadline = time.time() + PING_SECONDS_MAX
        while True:
            control.call("FLUSHALL", "SYNC")
            info = control.info("everything")
            left = [f"{name}:{info[name]}" for name in LEFT if info.get(name, "0") != "0"]
            if info["connected_clients"] != "1":
                left.append("connected_clients:" + info["connected_clients"])
            if control.call("CLIENT", "LIST").count(b"\n") != 1:
                left.append("CLIENT LIST: " + control.call("CLIENT", "LIST").decode())
            used = int(info["used_memory"])
            if used > self.fuzzer.first_used.setdefault(self.fuzzer.server.process.pid, used) + MEMORY_GROWTH_MAX:
                left.append(f"used_memory {used}, {self.fuzzer.first_used[self.fuzzer.server.process.pid]} after the first such round")
            if not left:
                break
            if time.time() > deadline:
                control.close()
                return "left behind: " + ", ".join(left)
            time.sleep(0.1)
        control.socket.settimeout(PING_SECONDS_MAX)
        try:
            control.call("MSET", *[word for i in range(1000) for word in (f"shard{i}", "v")])
            control.call("FLUSHALL", "SYNC")
        except TimeoutError:
            return "a shard stays locked"
        finally:
            control.close()
        return None


def play(fuzzer, number, seconds, seeded):
    """(what went wrong or None, history)"""
    rng = seeded("life", fuzzer.options.seed, number)
    assert isinstance(rng, random.Random)
    life = Life(fuzzer, rng, seconds)
    try:
        return life.run(), life.history
    except (OSError, ConnectionError, ReplyError) as error:
        return f"{type(error).__name__}: {error}", life.history
    finally:
        for one in life.sockets:
            one.close()
