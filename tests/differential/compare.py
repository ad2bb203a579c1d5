"""When two replies count as the same. Errors are compared byte for byte in every mode. Modes, joined by +:
  exact  all bytes;   set    order does not matter;   pairs  flat pairs in any order;   near  times may differ a little;
  words  the words of a text in any order;
  dbl    floating point numbers by value;   shape  only types and sizes;   any  only that neither or both are errors.
fixed says that the generator must not damage the line."""
import re

FLOAT = re.compile(rb"^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|inf|nan)$")


def near(a, b):
    return (a < 0) == (b < 0) and abs(a - b) <= (2 if max(a, b) < 4000000 else 4000) or (a > 60000 and abs(a - b) <= 4000)


def same(a, b, mode):
    if a == b:
        return True
    modes = mode.split("+")
    kind, value = a
    other_kind, other = b
    if kind == b"-" or other_kind == b"-":
        return False
    if "any" in modes:
        return True
    if "shape" in modes:
        if kind != other_kind or isinstance(value, list) != isinstance(other, list):
            return kind == other_kind or {kind, other_kind} <= {b"$", b"_"} and (value is None) == (other is None)
        if isinstance(value, list):
            return len(value) == len(other) and all(same(x, y, "shape") for x, y in zip(value, other))
        return (value is None) == (other is None)
    if kind != other_kind:
        return False
    if isinstance(value, list) and isinstance(other, list):
        return same_lists(value, other, kind, modes)
    if "idle" in modes and kind == b":":
        return abs(value - other) <= 1000
    if "near" in modes and kind == b":":
        return near(value, other)
    if "words" in modes and value and other:
        return sorted(value.split()) == sorted(other.split())
    if "dbl" in modes and kind in (b"$", b",", b"+") and value and other and FLOAT.match(value) and FLOAT.match(other):
        x, y = float(value), float(other)
        return x == y or abs(x - y) <= 1e-15 * max(abs(x), abs(y))
    return False


def same_lists(value, other, kind, modes):
    if len(value) != len(other):
        return False
    inner = "+".join(m for m in modes if m not in ("set", "pairs")) or "exact"
    if "deep" in modes:
        inner = "+".join(modes)
    if kind == b"%" or "pairs" in modes:
        if len(value) % 2:
            return False
        if "pairs" in modes:
            value, other = sorted_pairs(value), sorted_pairs(other)
    elif "set" in modes:
        value, other = sorted(value, key=order), sorted(other, key=order)
    return all(same(x, y, inner) for x, y in zip(value, other))


def order(item):
    """A key to sort by that does not depend on the order inside."""
    return (item[0], sorted(map(order, item[1])), b"") if isinstance(item[1], list) else (item[0], [], str(item[1]).encode())


def sorted_pairs(items):
    pairs = sorted((items[i:i + 2] for i in range(0, len(items), 2)), key=lambda pair: [order(item) for item in pair])
    return [item for pair in pairs for item in pair]
