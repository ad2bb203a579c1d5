"""Snapshots exchanged both ways: what one server saves the other loads, and every key's digest is the same."""
import os
import shutil
import tempfile

import differential
from families import bitmap, geo, hash as hash_family, hll, keys, list as list_family, set as set_family, stream, strings, zset
from server_process import ServerProcess
from wire import ReplyError

MODULES = (strings, keys, hash_family, list_family, set_family, zset, bitmap, hll, geo, stream)


def fill(connection, rng):
    connection.call("FLUSHALL")
    for number, module in enumerate(MODULES):
        connection.call("SELECT", str(number % 3))
        for step in differential.make_round(module, f"rdb:{rng.random()}", 250):
            if step[0] == 0 and step[2][0].upper() not in ("FLUSHDB", "FLUSHALL", "SELECT", "SWAPDB", "MOVE") and not step[1].startswith("!"):
                connection.typed(*step[2])
        connection.typed("DISCARD")
        prefix = f"{module.__name__.split('.')[-1]}:"
        for key in connection.call("KEYS", "*"):
            if b":" not in key:
                connection.typed("RENAME", key, prefix.encode() + key)
    for size in (3, 700):
        for i in range(size):
            connection.typed("ZADD", f"big:z:{size}", str(i / 7), f"member {i}")
            connection.typed("SADD", f"big:s:{size}", f"member {i}" * (1 + i % 5))
            connection.typed("SADD", f"big:i:{size}", str(i * 70000))
            connection.typed("HSET", f"big:h:{size}", f"field {i}", "v" * (i % 90))
            connection.typed("RPUSH", f"big:l:{size}", "item" * (i % 50))
    connection.typed("SET", "compressible", "ab" * 5000)
    connection.typed("FUNCTION", "LOAD", "REPLACE", "#!lua name=kept\nredis.register_function('kept',function() return 1 end)")


def contents(connection):
    found = {}
    for db in range(3):
        connection.call("SELECT", str(db))
        for key in connection.call("KEYS", "*"):
            expire = connection.call("PEXPIRETIME", key)
            kind = connection.call("TYPE", key)
            content = scores(connection, key) if kind == b"zset" else connection.call("DEBUG", "DIGEST-VALUE", key)
            found[db, key] = (kind, content, expire)
    connection.call("SELECT", "0")
    found["functions"] = connection.call("FUNCTION", "LIST", "WITHCODE")
    return found


def scores(connection, key):
    """As numbers: Redis loses the sign of -0 when it loads a small sorted set."""
    flat = connection.call("ZRANGE", key, "0", "-1", "WITHSCORES")
    return [(member, float(score)) for member, score in zip(flat[::2], flat[1::2])]


def run(test, rng):
    for writer, reader in ((test.theirs, test.ours), (test.ours, test.theirs)):
        writer.fresh(2)
        connection = writer.connections[0]
        fill(connection, rng)
        reply = connection.typed("SAVE")
        if reply[0] == b"-":
            test.fail("rdb", f"SAVE by {writer.name}", reply, "")
            continue
        wanted = contents(connection)
        folder = tempfile.mkdtemp(prefix="synap-rdb-")
        try:
            shutil.copy(os.path.join(writer.server.folder, "dump.rdb"), folder)
            with ServerProcess(reader.binary, "--dbfilename", "dump.rdb", folder=folder) as server:
                got = contents(server.connect())
            wrong = [key for key in wanted if got.get(key) != wanted[key]] + [key for key in got if key not in wanted]
            if wrong:
                test.fail("rdb", f"{reader.name} loads {writer.name}'s snapshot: {len(wrong)} of {len(wanted)} keys differ, as {wrong[:5]}",
                          [wanted.get(key) for key in wrong[:5]], [got.get(key) for key in wrong[:5]])
            else:
                test.passed += 1
                test.commands += len(wanted)
        except (RuntimeError, ReplyError, OSError) as error:
            test.fail("rdb", f"{reader.name} loads {writer.name}'s snapshot", "loads", str(error))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        connection.call("FLUSHALL")
