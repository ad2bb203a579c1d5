"""DUMP here, RESTORE there: each side loads what the other wrote, for every type and encoding; and damaged payloads."""
import differential
from families import hash as hash_family, list as list_family, set as set_family, stream, strings, zset
from wire import show


def run(test, rng):
    for module in (strings, hash_family, list_family, set_family, zset, stream):
        for number in range(6):
            seed = f"dump:{module.__name__}:{number}:{rng.random()}"
            steps = differential.make_round(module, seed, 200)
            cross(test, module.__name__, seed, [step for step in steps if step[1] != "!state"])


def cross(test, family, seed, steps):
    """Only the first side's data counts: replies were compared elsewhere."""
    for side in test.sides():
        side.fresh(2)
        side.connections[0].call("FLUSHALL")
    writer_commands = [step[2] for step in steps if step[0] == 0]
    for writer, reader in ((test.theirs, test.ours), (test.ours, test.theirs)):
        source, target = writer.connections[0], reader.connections[0]
        source.call("FLUSHALL")
        target.call("FLUSHALL")
        for command in writer_commands:
            source.typed(*command)
        source.typed("DISCARD")
        for key in source.call("KEYS", "*"):
            payload = source.call("DUMP", key)
            expire = source.call("PTTL", key)
            reply = target.typed("RESTORE", key, str(max(0, expire)), payload)
            a, b = source.typed("DEBUG", "DIGEST-VALUE", key), target.typed("DEBUG", "DIGEST-VALUE", key)
            if reply != (b"+", b"OK") or a != b:
                test.fail("dump", f"{family} {seed}: {source.call('TYPE', key).decode()} of {writer.name}", show(reply),
                          f"{show(a)} {show(b)} payload {payload[:80]!r} ({len(payload)} bytes)")
                return
            test.commands += 4
    test.passed += 1
