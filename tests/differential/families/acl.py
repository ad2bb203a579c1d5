"""Access control: users with random rules on both sides, and what each may do: by ACL DRYRUN for the calls of all other
families, and by real calls of a connection that has logged in as the user. Redis 7.0 words its denials otherwise and compacts
rules its own way, so what is compared is which calls are denied, for what, and over which key or channel."""
import re

import differential
from families import bitmap, geo, hash as hash_family, hll, keys, list as list_family, set as set_family, stream, strings, zset
from wire import show

MODULES = (strings, keys, hash_family, list_family, set_family, zset, bitmap, hll, geo, stream)
CATEGORIES = ("read write set sortedset list hash string bitmap hyperloglog geo stream keyspace fast slow blocking dangerous "
              "connection transaction scripting pubsub admin all").split()
COMMANDS = ("get set mget mset del copy sort eval config config|get config|set client client|id object object|encoding xgroup "
            "xgroup|create bitfield bitop zadd zunionstore georadius georadius_ro publish subscribe psubscribe ping select "
            "select|0 select|1 nosuch config|nosuch GET Config|Get debug|object memory|usage acl|whoami acl").split()
PATTERNS = ["*", "a*", "k*", "?", "[a-m]*", "str*", "*1", "s", "", "key:*", "\\*", "a b", "{x}*"]
CHANNELS = ["*", "news", "n*", "a", "[ab]*", ""]
CALLS = [["PUBLISH", "news", "x"], ["PUBLISH", "a", "x"], ["SUBSCRIBE", "news", "a"], ["PSUBSCRIBE", "n*"], ["PSUBSCRIBE", "news"],
         ["SPUBLISH", "news", "x"], ["SSUBSCRIBE", "a", "b"], ["UNSUBSCRIBE", "zzz"], ["SELECT", "0"], ["SELECT", "1"], ["CONFIG", "GET", "x"],
         ["CONFIG", "SET", "x", "y"], ["CLIENT", "ID"], ["EVAL", "return 1", "2", "a", "k1"], ["EVAL", "return 1", "0", "a"],
         ["EVAL", "return 1", "-1", "a"], ["EVAL", "return 1", "9", "a"], ["SORT", "s", "BY", "w_*", "GET", "a*", "STORE", "k"],
         ["SORT_RO", "s", "GET", "#"], ["COPY", "a", "k"], ["RENAME", "a", "b"], ["AUTH", "x"], ["RESET"], ["HELLO"], ["MULTI"], ["PING"],
         ["MEMORY", "USAGE", "a"], ["OBJECT", "FREQ", "k1"], ["XREAD", "STREAMS", "s", "a", "0", "0"], ["ACL", "WHOAMI"], ["ACL", "NOSUCH"],
         ["DEBUG", "OBJECT", "a"], ["GET"], ["NOSUCH", "a"], ["FCALL", "f", "1", "a"], ["SET", "a", "1", "GET"], ["SET", "k", "1"]]
ROUNDS = 12


def rule(rng, commands):
    kind = rng.randrange(14)
    sign = rng.choice("+-")
    if kind < 4:
        return sign + rng.choice(commands)
    if kind < 7:
        return f"{sign}@{rng.choice(CATEGORIES)}"
    if kind < 10:
        return rng.choice(["~", "~", "%R~", "%W~", "%RW~", "%WR~", "%r~", "%X~", "%RR~", "%~"]) + rng.choice(PATTERNS)
    if kind < 11:
        return "&" + rng.choice(CHANNELS)
    if kind < 12:
        return rng.choice(["allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands", "clearselectors", "AllKeys"])
    if kind < 13:
        return "(" + " ".join(rule(rng, commands) for _ in range(rng.randint(0, 3))) + rng.choice([")", ")", ")", " )", ""])
    return rng.choice([">pw", "<pw", "#" + "a" * 64, "!" + "a" * 64, "#abc", "nopass", "resetpass", "reset", "on", "off", "", "bad", ")", "@all"])


def denial(reply):
    """What a reply says of permissions: nothing, or (command | key | channel, its name if it is told)."""
    text = reply[1] if reply[0] in (b"-", b"$", b"+") and isinstance(reply[1], bytes) else b""
    if match := re.search(rb"no permissions to (run|access) the '(.*)' (command|key|channel)", text, re.S):
        return match.group(3).decode(), match.group(2)
    if b"NOPERM" not in text:
        return None
    return "key" if b"key" in text else "channel", None


def described(reply):
    """ACL GETUSER without what 7.0 has not (sanitize-payload for all) or words otherwise (commands)."""
    if reply[1] is None:
        return None
    fields = {reply[1][i][1]: reply[1][i + 1] for i in range(0, len(reply[1]), 2)}
    flags = sorted(flag[1] for flag in fields[b"flags"][1] if flag[1] not in (b"sanitize-payload", b"allkeys", b"allchannels", b"allcommands"))
    selectors = [{s[1][i][1]: s[1][i + 1][1] for i in range(0, len(s[1]), 2)} for s in fields[b"selectors"][1]]
    return (flags, [p[1] for p in fields[b"passwords"][1]], fields[b"keys"][1], fields[b"channels"][1],
            [(s[b"keys"], s[b"channels"]) for s in selectors])


def both(test, connection, *args):
    return [side.connections[connection].typed(*args) for side in test.sides()]


def make_user(test, rng, commands):
    """Several ACL SETUSER, each answered alike; then a password that is known."""
    for _ in range(rng.randint(1, 4)):
        args = ["ACL", "SETUSER", "alice", *(rule(rng, commands) for _ in range(rng.randint(1, 5)))]
        theirs, ours = both(test, 0, *args)
        if theirs != ours:
            test.fail("acl", " ".join(args), show(theirs), show(ours))
        else:
            test.passed += 1
    both(test, 0, "ACL", "SETUSER", "alice", "on", ">secret")
    theirs, ours = (described(reply) for reply in both(test, 0, "ACL", "GETUSER", "alice"))
    if theirs != ours:
        test.fail("acl", "ACL GETUSER", theirs, ours)


def calls(rng):
    module = rng.choice(MODULES)
    steps = differential.make_round(module, f"acl:{rng.random()}", 40)
    found = [step[2] for step in steps if step[0] == 0 and step[2][0].upper() not in ("MULTI", "EXEC", "DISCARD")]
    return found + rng.sample(CALLS, 12)


def same_verdict(test, name, args, theirs, ours):
    a, b = denial(theirs), denial(ours)
    if a == b or (a and b and a[0] == b[0] and None in (a[1], b[1])):
        test.passed += 1
    elif not test.intended.covers([name] + args, theirs, ours):
        rules = both(test, 0, "ACL", "LIST")[1]
        test.fail("acl", f"{name} {args!r}", show(theirs), f"{show(ours)}   of {show(rules, 600)}")


def run(test, rng):
    for side in test.sides():
        side.fresh(2)
    known = [set(name for (_, name) in side.connections[0].typed("COMMAND", "LIST")[1]) for side in test.sides()]
    # A command that only one side has would be an error there.
    commands = [name for name in COMMANDS if len({name.lower().encode() in names for names in known}) == 1]
    for _ in range(ROUNDS):
        both(test, 0, "ACL", "DELUSER", "alice")
        make_user(test, rng, commands)
        tried = [args for args in calls(rng) if all(str(args[0]).lower().encode() in names for names in known)]
        for args in tried:
            theirs, ours = both(test, 0, "ACL", "DRYRUN", "alice", *args)
            if (theirs[0] == b"-") != (ours[0] == b"-"):
                continue  # an arity that later versions changed
            same_verdict(test, "ACL DRYRUN", list(args), theirs, ours)
        if any(reply != (b"+", b"OK") for reply in both(test, 1, "AUTH", "alice", "secret")):
            test.fail("acl", "AUTH alice", "", "")
        for args in tried:
            if str(args[0]).upper() in ("RESET", "AUTH", "HELLO", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "DEBUG") or differential_blocks(args):
                continue
            same_verdict(test, "as alice", list(args), *both(test, 1, *args))
        both(test, 1, "DISCARD")
        both(test, 1, "RESET")
    both(test, 0, "ACL", "DELUSER", "alice")


def differential_blocks(args):
    name = str(args[0]).upper()
    return name.startswith(("BL", "BR", "BZ", "WAIT")) or any(str(arg).upper() == "BLOCK" for arg in args)
