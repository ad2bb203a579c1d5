#!/usr/bin/env python3
"""Coverage by construction: every command that the server lists has its help text (COMMAND DOCS), a line in the differential
test's generators or a written excuse (coverage_excuses.txt), and is drawn by the server fuzzer or listed there with a reason.
Excuses for commands that do not exist yet are named as a note."""
import fnmatch
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "differential"), os.path.join(HERE, "fuzz")]

import differential  # noqa: E402
import server_fuzz  # noqa: E402
from server_process import ServerProcess, synap_binary  # noqa: E402


def listed(connection):
    """Names of all commands, subcommands as parent|sub."""
    names = set()
    for row in connection.typed("COMMAND")[1]:
        names.add(row[1][0][1].decode())
        for sub in (row[1][9][1] or []) if len(row[1]) > 9 else []:
            names.add(sub[1][0][1].decode())
    return names


def documented(connection):
    """Name to summary, subcommands included."""
    found = {}

    def read(items):
        for i in range(0, len(items), 2):
            name, fields = items[i][1].decode(), items[i + 1][1]
            facts = {fields[k][1].decode(): fields[k + 1] for k in range(0, len(fields), 2)}
            found[name] = facts.get("summary", (b"$", b""))[1].decode()
            if "subcommands" in facts:
                read(facts["subcommands"][1])
    read(connection.typed("COMMAND", "DOCS")[1])
    return found


def generated():
    """Commands that a family's line begins with, with its second word as a subcommand; and those that errors.py runs."""
    names = set()
    for module in differential.load_families([]).values():
        for template in differential.templates(module) if hasattr(module, "TABLE") else []:
            for seed in range(40):
                for _, mode, args in template.generate(differential.grammar.seeded(seed), module.ATOMS):
                    words = [a.decode("latin-1").lower() if isinstance(a, bytes) else a.lower() for a in args]
                    if mode == "!read":
                        continue
                    names.add(words[0])
                    if len(words) > 1:
                        names.add("|".join(words[:2]))
    return names


def excuses():
    found = {}
    with open(os.path.join(HERE, "coverage_excuses.txt"), encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, reason = line.split(" :: ", 1)
                found[name.strip()] = reason.strip()
    return found


def main():
    with ServerProcess(synap_binary()) as server:
        connection = server.connect()
        names = listed(connection)
        docs = documented(connection)
    drawn, excused = generated(), excuses()
    parents = {name.split("|")[0] for name in names if "|" in name}
    problems = []
    passed = 0
    for name in sorted(names):
        bad = []
        if not docs.get(name):
            bad.append("no help text (server/admin/command_docs_*.cc)")
        excuse = next((pattern for pattern in excused if fnmatch.fnmatch(name, pattern)), None)
        if name not in drawn and not excuse and name not in parents and not name.endswith("|help"):
            bad.append("no line in tests/differential/families/ and no excuse")
        if name in server_fuzz.NOT_FUZZED and not server_fuzz.NOT_FUZZED[name]:
            bad.append("left out of the fuzzer without a reason")
        problems += [f"{name}: {text}" for text in bad]
        passed += not bad
    for pattern in excused:
        if not any(fnmatch.fnmatch(name, pattern) for name in names):
            print(f"note: coverage_excuses.txt speaks of {pattern}, which this build does not have")
    for problem in problems:
        print("coverage: " + problem)
    print(f"{passed} passed, {len(problems)} failed")
    return 1 if problems or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
