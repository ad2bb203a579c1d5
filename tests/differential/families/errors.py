"""Every command of Redis's table: its metadata, and what too few, too many and wrong arguments are answered."""
from wire import show

# These act on the server or the connection rather than answer.
NOT_RUN = {"shutdown", "debug", "monitor", "quit", "sync", "psync", "replconf", "failover", "subscribe", "psubscribe", "ssubscribe",
           "unsubscribe", "punsubscribe", "sunsubscribe", "replicaof", "slaveof", "save", "bgsave", "bgrewriteaof", "restore-asking",
           "exec", "hello", "reset", "client", "module", "cluster", "pfselftest", "pfdebug", "migrate", "wait", "flushall"}
# Facts that Redis changed between 7.0 and 7.4, or that follow from what Synap is.
NOT_COMPARED = {"module", "cluster", "sentinel", "readonly", "readwrite", "asking", "restore-asking"}
WRONG = [["x"], ["x", "y"], ["x", "1", "y"], ["x", "y", "z", "w"], ["1", "2", "3"], ["", ""], ["x"] * 9, ["-1", "x", "x", "x", "x"],
         ["str", "1", "2"], ["str", "a", "b"], ["lst", "1", "1"], ["2", "lst", "str"], ["str", "x", "1", "2", "3"]]


def entries(side):
    found = {}

    def add(row):
        fields = row[1]
        found[fields[0][1].decode()] = fields
        if len(fields) > 9 and fields[9][1]:
            for sub in fields[9][1]:
                add(sub)
    for row in side.connections[0].typed("COMMAND")[1]:
        add(row)
    return found


def names_of(field):
    return sorted(item[1].decode() for item in field[1] or [])


def facts(specs):
    """Key specs without their notes, which are Redis's prose."""
    def plain(item):
        kind, value = item
        if not isinstance(value, list):
            return item
        fields = [plain(field) for field in value]
        if len(fields) > 1 and fields[0][1] == b"notes":
            fields = fields[2:]
        return kind, fields
    return show(plain(specs), 10000)


def compare_tables(test, theirs, ours):
    for name, fields in sorted(theirs.items()):
        if name.split("|")[0] in NOT_COMPARED:
            continue
        if name not in ours:
            if test.intended.covers(["COMMAND", "INFO", name, "missing"], (b"+", b"has it"), (b"+", b"has not")):
                test.passed += 1
            else:
                test.fail("errors", f"no command {name}", "has it", "has not")
            continue
        mine = ours[name]
        bad = []
        for label, at in (("arity", 1), ("first key", 3), ("last key", 4), ("step", 5)):
            if fields[at] != mine[at]:
                bad.append((label, fields[at][1], mine[at][1]))
        for label, at in (("flags", 2), ("categories", 6)):
            if names_of(fields[at]) != names_of(mine[at]):
                bad.append((label, names_of(fields[at]), names_of(mine[at])))
        if facts(fields[8]) != facts(mine[8]):
            bad.append(("key specs", facts(fields[8]), facts(mine[8])))
        args = ["COMMAND", "INFO", name]
        bad = [row for row in bad if not test.intended.covers(args + [row[0]], (b"+", str(row[1]).encode()), (b"+", str(row[2]).encode()))]
        test.passed += not bad
        for label, a, b in bad:
            test.fail("errors", f"COMMAND INFO {name}: {label}", a, b)


def run(test, rng):
    for side in test.sides():
        side.fresh(2)
    theirs, ours = (entries(side) for side in test.sides())
    compare_tables(test, theirs, ours)
    for name in sorted(theirs):
        words = name.split("|")
        if words[0] in NOT_RUN or words[0] in NOT_COMPARED:
            continue
        arity = abs(theirs[name][1][1])
        calls = [words + ["x"] * count for count in range(max(0, arity - len(words)))]
        calls += [words + wrong for wrong in rng.sample(WRONG, 6)]
        steps = [(0, "exact", ["SET", "str", "text"]), (0, "exact", ["RPUSH", "lst", "a", "b"])]
        # Only errors are compared: what succeeds here is the other families' matter.
        test.attempt("errors", name, steps + [(0, "any", call) for call in calls if not blocks(call)], 2)


def blocks(call):
    return call[0].upper() in ("BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP") and len(call) > 2
