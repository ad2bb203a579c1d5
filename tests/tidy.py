#!/usr/bin/env python3
"""Checks of the source tree that a compiler does not make: includes go only downward (tests/layers.txt), words that have a
better replacement here, files that nobody references, sizes. Prints the longest files and functions as a help to
the reader; only the checks fail."""
import fnmatch
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CODE = ("server", "protocol", "datatypes", "scripting", "persistence", "replication")
AROUND = ("tests", "bench", "tcl-compat", "conf", ".ci")

# word, where it is forbidden, where it is right, what to write instead
BANNED = [
    (r"\bstd::(mutex|shared_mutex|recursive_mutex|lock_guard|unique_lock|scoped_lock)\b", CODE, ("server/base/*",),
     "the ranked Mutex of server/base/sync.h"),
    (r"\b(strtol|strtoll|strtoul|strtoull|strtod|strtof|atoi|atol|atoll|atof|std::sto[a-z]+)\s*\(", CODE,
     ("server/base/number.*",), "parse_int64, parse_double (server/base/number.h)"),
    (r"\buv_[a-z_]+\s*\(|<uv\.h>", CODE, ("server/net/*",), "server/net: nothing else sees libuv"),
    (r"\b(FIXME|TODO|XXX|HACK)\b", CODE + AROUND, ("tests/tidy.py",), "do it, or open an issue"),
    (r"\b(rand|srand|random|drand48)\s*\(\s*\)", CODE, ("server/base/random.*",), "thread_random() (server/base/random.h)"),
    (r"\b(gettimeofday|clock_gettime|std::chrono::\w+_clock)\b", CODE, ("server/base/*",), "server/base/clock.h"),
    (r"\b(throw|try|catch)\b\s*[({\w]", CODE, ("server/main.cc",), "Status or Result (server/base/status.h)"),
    (r"\b(strcpy|strcat|sprintf|gets|alloca)\s*\(", CODE, (), "sizes that are checked: snprintf, std::string"),
    (r"\bassert\s*\(|<cassert>", CODE, (), "SYNAP_ASSERT or SYNAP_DCHECK"),
    (r"\bstd::regex\b|\bstd::iostream\b|<iostream>", CODE, (), "glob_match, log.h, printf"),
    (r"\busing namespace\b", CODE, (), "names"),
    (r"#\s*ifndef \w+_H_?$", CODE, (), "#pragma once"),
]
# Exceptions: file, pattern word, reason. Kept short; a line here is a debt somebody explained.
EXCEPTIONS = [
    ("datatypes/key/sort.cc", "strtod", "weights are what C's strtod takes, as in Redis's SORT"),
    ("datatypes/zset/range.cc", "strtod", "score limits take what C's strtod takes (hexadecimal, leading spaces), as in Redis"),
    ("scripting/lua_cjson.cc", "strtod", "a number in the middle of a text, whose end strtod finds"),
    ("scripting/lua_engine.cc", "atoi", "a number in the middle of an error text, whose end atoi finds"),
    ("server/command/config_file.cc", "<iostream>", "the configuration may come from standard input"),
]

FILE_LINES_MAX = 1000      # the aim is 600; above this the check fails
FUNCTION_LINES_MAX = 120   # the aim is 60


def files(*roots, suffixes=(".cc", ".h", ".py", ".tcl", ".txt", ".md", "")):
    for root in roots:
        for folder, folders, names in os.walk(os.path.join(ROOT, root)):
            folders[:] = [f for f in folders if f not in ("__pycache__", "corpus")]
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), ROOT)
                if os.path.splitext(name)[1] in suffixes:
                    yield path


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def strip_code(text):
    """Text with comments and string literals blanked, line structure kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


class Layers:
    def __init__(self):
        self.rows, self.allowed = [], []
        for line in read("tests/layers.txt").splitlines():
            words = line.split("#")[0].split()
            if words and words[0] == "allow":
                self.allowed.append((words[1], words[2]))
            elif words:
                self.rows.append((int(words[0]), words[1]))

    def layer(self, path):
        return next((layer for layer, pattern in self.rows if fnmatch.fnmatch(path, pattern)), None)

    def may_include(self, path, other):
        if os.path.dirname(path) == os.path.dirname(other) or self.layer(other) < self.layer(path):
            return True
        return any(fnmatch.fnmatch(path, a) and fnmatch.fnmatch(other, b) for a, b in self.allowed)


def check_includes(problems):
    layers = Layers()
    included = set()
    for path in files(*CODE, suffixes=(".cc", ".h")):
        if layers.layer(path) is None:
            problems.append(f"{path}: no layer in tests/layers.txt")
            continue
        text = read(path)
        if path.endswith(".h") and "#pragma once" not in text:
            problems.append(f"{path}: no #pragma once")
        for number, line in enumerate(text.splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            other = match.group(1)
            included.add(other)
            if not os.path.exists(os.path.join(ROOT, other)):
                problems.append(f"{path}:{number}: {other} is not written from the repository's root")
            elif layers.layer(other) is None or not layers.may_include(path, other):
                problems.append(f"{path}:{number}: layer {layers.layer(path)} includes {other} of layer {layers.layer(other)}")
    for path in files("tests", "bench", suffixes=(".cc", ".h")):
        included.update(re.findall(r'#\s*include\s+"([^"]+)"', read(path)))
    for path in files(*CODE, suffixes=(".h",)):
        if path not in included:
            problems.append(f"{path}: no file includes it")


def check_words(problems):
    for path in files(*CODE, *AROUND):
        text = read(path)
        code = strip_code(text) if path.endswith((".cc", ".h")) else text
        for pattern, where, right, instead in BANNED:
            if path.split("/")[0] not in where or any(fnmatch.fnmatch(path, r) for r in right):
                continue
            source = text if "FIXME" in pattern or "include" in pattern or "<" in pattern else code
            for match in re.finditer(pattern, source, re.M):
                word = match.group(0).strip()
                if any(fnmatch.fnmatch(path, e[0]) and e[1] in word for e in EXCEPTIONS):
                    continue
                line = source.count("\n", 0, match.start()) + 1
                problems.append(f"{path}:{line}: '{word}': use {instead}")


def check_references(problems):
    """Every file outside the sources is named somewhere: a test nobody runs is no test."""
    everything = {path: read(path) for path in files(*CODE, *AROUND)}
    everything.update({name: read(name) for name in os.listdir(ROOT) if os.path.isfile(os.path.join(ROOT, name))})
    globbed = ("tests/unit/*", "tests/integration/*.cc", "tests/concurrency/*.cc", "tests/crash/*.cc", "tests/fuzz/*_fuzz.cc", "bench/*.cc",
               "tcl-compat/tests/*", "tests/fuzz/corpus/*", "*.md", "tests/differential/families/*", "*_test.py")
    for path in files(*AROUND):
        if any(fnmatch.fnmatch(path, pattern) for pattern in globbed):
            continue
        name = os.path.basename(path)
        stem = os.path.splitext(name)[0] if name.endswith(".py") else name
        if not any(stem in text for other, text in everything.items() if other != path):
            problems.append(f"{path}: nothing refers to it")


def check_names(problems):
    for path in files(*CODE, suffixes=(".cc", ".h")):
        name = os.path.basename(path)
        if not re.fullmatch(r"[a-z0-9_]+\.(cc|h)", name):
            problems.append(f"{path}: file names are snake_case")
        if re.search(r"(^|_)(util|utils|common|misc|helper|helpers)(_|\.)", name):
            problems.append(f"{path}: name it after what it holds")
    for path in files("tests/unit", suffixes=(".cc",)):
        if path == "tests/unit/main.cc":
            continue
        folder = os.path.dirname(path[len("tests/unit/"):])
        if not path.endswith("_test.cc") or not os.path.isdir(os.path.join(ROOT, folder)):
            problems.append(f"{path}: unit tests mirror the tree and end in _test.cc")
    for path in files(*CODE, *AROUND):
        if re.search(r"/(tmp|work)/(main|brief|shared|valkey|b-)", read(path)) and path != "tests/tidy.py":
            problems.append(f"{path}: a path of somebody's machine")


def functions(path):
    """(lines, name, first line) of each function, by clang-format's shape: an unindented head, a brace at column 0."""
    lines = strip_code(read(path)).splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if re.match(r"^(\}|namespace|class|struct|enum|union|using|extern|#|$)", line) or line.startswith("  "):
            if line.startswith("}") and start:
                head = " ".join(lines[start - 1:start + 2])
                name = re.search(r"([\w:~]+)\s*\(", head)
                yield number - start + 1, name.group(1) if name else head[:40], start
                start = None
            continue
        if "(" in line and not line.rstrip().endswith((";", "}")) and start is None:
            start = number
        elif line.rstrip().endswith(";"):
            start = None


def check_sizes(problems):
    longest_files, longest_functions, lines = [], [], 0
    for path in files(*CODE, suffixes=(".cc", ".h")):
        text = read(path)
        count = text.count("\n")
        lines += count
        longest_files.append((count, path))
        if count > FILE_LINES_MAX:
            problems.append(f"{path}: {count} lines; split it by theme")
        # A source beside its header is described there; the header's own head is checked.
        described = path.endswith(".cc") and os.path.exists(os.path.join(ROOT, path[:-3] + ".h"))
        if text and not text.startswith("//") and not described:
            problems.append(f"{path}: opens without saying what it owns")
        if path.endswith(".cc"):
            for count, name, start in functions(path):
                longest_functions.append((count, f"{name} ({path}:{start})"))
                if count > FUNCTION_LINES_MAX:
                    problems.append(f"{path}:{start}: {name} has {count} lines")
    print(f"{len(longest_files)} files, {lines} lines")
    for title, rows in (("longest files", longest_files), ("longest functions", longest_functions)):
        print(f"{title}:")
        for count, name in sorted(rows, reverse=True)[:12]:
            print(f"  {count:5} {name}")


def main():
    found = []
    for check in (check_includes, check_words, check_references, check_names, check_sizes):
        problems = []
        check(problems)
        found.append(problems)
    for problem in sum(found, []):
        print("tidy: " + problem)
    failed = sum(map(bool, found))
    passed = len(found) - failed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
