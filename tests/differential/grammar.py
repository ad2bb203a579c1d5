"""Templates of commands, from which random ones are made. A template is one line:

    MODE  WORD {atom} [optional] (this|that) <repeated>+

{atom} is drawn from the family's atoms or the common ones below; {atom@x} draws once and repeats the same text wherever @x
stands again in the line. Several commands on a line are divided by ` ; `, each with its own MODE (see compare.py).
A word `2>` before MODE's command sends it on the second connection."""
import random
import re

BINARY = bytes(range(256))
INT_EDGES = ["0", "-1", "1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1.5", "abc", "", " 1", "1 ",
             "0x10", "1e3", "+5", "007", "-0", "4294967296", "2147483648"]
FLOAT_EDGES = ["inf", "-inf", "+inf", "nan", "1e400", "-1e400", "1e-400", "", "abc", "1.5.5", " 1.5", "1.5 ", "0x1p3", "1e", ".5", "5.",
               "-0", "3.0e3", "17179869184.5", "0.1", "1e17", "123456789012345678"]
WORDS = ["a", "b", "hello", "world", "Foo", "xyzzy", "", "é", "a b", "key*", "[x]", "0", "-1", "12345", "3.25", "9223372036854775807"]


def value(rng):
    pick = rng.random()
    if pick < 0.35:
        return rng.choice(WORDS)
    if pick < 0.55:
        return str(rng.randint(-1000, 100000))
    if pick < 0.65:
        return BINARY[rng.randint(0, 255):][:rng.randint(0, 40)]
    if pick < 0.9:
        return rng.choice("xyz") * rng.choice([1, 11, 12, 20, 21, 43, 44, 45, 63, 64, 65])
    return rng.choice("pq") * rng.choice([127, 128, 300, 1000, 5000])


def member(rng):
    pick = rng.random()
    if pick < 0.6:
        return f"m{rng.randint(0, 25)}"
    if pick < 0.9:
        return str(rng.randint(-5, 30))
    return value(rng)


COMMON = {
    "value": value,
    "member": member,
    "int": lambda r: str(r.randint(-20, 100)) if r.random() < 0.8 else r.choice(INT_EDGES),
    "index": lambda r: str(r.randint(-8, 8)) if r.random() < 0.93 else r.choice(INT_EDGES),
    "count": lambda r: str(r.randint(0, 6)) if r.random() < 0.93 else r.choice(["-1", "-3", "abc", "100", "9223372036854775808"]),
    "positive": lambda r: str(r.randint(1, 6)),
    "float": lambda r: f"{r.uniform(-100, 100):.{r.randint(0, 17)}g}" if r.random() < 0.85 else r.choice(FLOAT_EDGES),
    "score": lambda r: r.choice([str(r.randint(-9, 9)), f"{r.randint(-99, 99) / 8}", "inf", "-inf"]) if r.random() < 0.97
    else r.choice(FLOAT_EDGES),
    "seconds": lambda r: str(r.randint(100, 100000)) if r.random() < 0.85 else r.choice(["0", "-1", "abc", "1.5", "9223372036854775807", ""]),
    "millis": lambda r: str(r.randint(100000, 100000000)) if r.random() < 0.85 else r.choice(["0", "-1", "abc", "9223372036854775807"]),
    "when": lambda r: str(r.randint(4000000000, 4100000000)) if r.random() < 0.85 else r.choice(["0", "1", "-1", "abc", "9223372036854775807"]),
    "whenms": lambda r: str(r.randint(4000000000000, 4100000000000)) if r.random() < 0.85 else r.choice(["1", "-1", "abc"]),
    "pattern": lambda r: r.choice(["*", "a*", "?", "k[12]", "*[!a]", "\\*", "[a-c]*", "m?", "", "*1*", "[", "[^m]*", "k*\\", "h?llo"]),
    "word": lambda r: r.choice(WORDS),
}


class Template:
    """One parsed line: a list of (connection, mode, node) commands."""

    TOKEN = re.compile(r"\{[^}]*\}|\[|\]|\(|\)|\||<|>\+|>|'[^']*'|[^\s\[\]()|<>]+")

    def __init__(self, line):
        self.commands = []
        self.line = line
        for part in line.split(" ; "):
            mode, body = part.split(None, 1)
            connection = 0
            if body.startswith("2>"):
                connection, body = 1, body[2:].strip()
            self.tokens = self.TOKEN.findall(body)
            self.commands.append((connection, mode, self.sequence("")))

    def sequence(self, end):
        alternatives, items = [], []
        while self.tokens:
            token = self.tokens.pop(0)
            if token == end:
                break
            if token == "|":
                alternatives.append(items)
                items = []
            elif token == "[":
                items.append(("maybe", self.sequence("]")))
            elif token == "(":
                items.append(("one", self.sequence(")")))
            elif token == "<":
                items.append(("many", self.sequence(">+")))
            elif token.startswith("{"):
                name, _, bound = token[1:-1].partition("@")
                items.append(("atom", name, bound))
            else:
                items.append(("word", token.strip("'")))
        return ("choice", alternatives + [items]) if alternatives else ("list", items)

    def name(self):
        node = self.commands[0][2]
        words = [item[1] for item in node[1] if item[0] == "word"] if node[0] == "list" else []
        return words[0].upper() if words else ""

    def names(self):
        found = set()
        for _, _, node in self.commands:
            items = node[1] if node[0] == "list" else [i for alt in node[1] for i in alt]
            if items and items[0][0] == "word":
                found.add(items[0][1].upper())
            elif items and items[0][0] == "one":
                for alternative in (items[0][1][1] if items[0][1][0] == "choice" else [items[0][1][1]]):
                    found.add(alternative[0][1].upper())
        return found

    def generate(self, rng, atoms):
        bound = {}
        return [(connection, mode, self.expand(node, rng, atoms, bound)) for connection, mode, node in self.commands]

    def expand(self, node, rng, atoms, bound):
        kind = node[0]
        if kind == "choice":
            return self.expand(("list", rng.choice(node[1])), rng, atoms, bound)
        if kind == "list":
            return [arg for item in node[1] for arg in self.expand(item, rng, atoms, bound)]
        if kind == "word":
            return [node[1]]
        if kind == "maybe":
            return self.expand(node[1], rng, atoms, bound) if rng.random() < 0.4 else []
        if kind == "one":
            return self.expand(node[1], rng, atoms, bound)
        if kind == "many":
            return [arg for _ in range(rng.choice([1, 1, 2, 3, 5])) for arg in self.expand(node[1], rng, atoms, bound)]
        _, name, label = node
        if label and (name, label) in bound:
            return [bound[name, label]]
        text = draw(name, rng, atoms)
        if label:
            bound[name, label] = text
        return [text]


def draw(name, rng, atoms):
    source = atoms.get(name) or COMMON[name]
    return source(rng) if callable(source) else rng.choice(source)


def mutate(args, rng):
    """A damaged copy of a command: one argument dropped, doubled, replaced or added, or another spelling of its name."""
    args = list(args)
    # A damaged cursor is still a cursor, and where it points is each server's own matter.
    kind = 4 if args[0].upper().endswith("SCAN") else rng.randint(0, 4)
    at = rng.randint(1, len(args) - 1) if len(args) > 1 else 0
    if kind == 0 and len(args) > 1:
        del args[at]
    elif kind == 1 and len(args) > 1:
        args.insert(at, args[at])
    elif kind == 2 and len(args) > 1:
        args[at] = rng.choice(["", "-1", "0", "9223372036854775808", "-9223372036854775808", "nan", "x", "(", "1.5", BINARY[:20]])
    elif kind == 3:
        args.append(rng.choice(["x", "NX", "1", "LIMIT", "COUNT", "WITHSCORES", "STORE", "GET", "ABC"]))
    else:
        args[0] = "".join(rng.choice([c.lower(), c.upper()]) for c in args[0])
    return args


def seeded(*parts):
    return random.Random(":".join(map(str, parts)))
