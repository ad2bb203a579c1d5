"""Bitmaps and bit fields."""

ATOMS = {
    "key": ["b1", "b2", "b3", "num", "list", "nokey"],
    "offset": lambda r: str(r.randint(0, 600)) if r.random() < 0.93 else r.choice(["-1", "abc", "4294967296", "99999999999"]),
    "bit": lambda r: r.choice(["0", "1", "0", "1", "2", "-1", "abc"]) if r.random() < 0.2 else r.choice(["0", "1"]),
    "type": lambda r: r.choice("iu") + str(r.choice([1, 2, 4, 7, 8, 15, 16, 31, 32, 63])) if r.random() < 0.94
    else r.choice(["u64", "i64", "u65", "i0", "x8", "u", "i-1", "8"]),
    "place": lambda r: r.choice(["", "#"]) + str(r.randint(0, 40)) if r.random() < 0.95 else r.choice(["-1", "#-1", "abc", "#"]),
}
SETUP = """
exact  RPUSH list a
exact  SET b1 foobar
exact  SET num 12345
"""
TABLE = """
3* exact  SETBIT {key} {offset} {bit}
exact  GETBIT {key} {offset}
2* exact  BITCOUNT {key} [{index} {index} [(BYTE|BIT|NIBBLE)]]
exact  BITCOUNT {key} {index}
2* exact  BITPOS {key} {bit} [{index} [{index} [(BYTE|BIT)]]]
2* exact  BITOP (AND|OR|XOR) {key} <{key}>+
exact  BITOP NOT {key} {key}
exact  BITOP (NOT|NAND) {key} {key} {key}
3* exact  BITFIELD {key} <(GET {type} {place}|SET {type} {place} {int}|INCRBY {type} {place} {int}|OVERFLOW (WRAP|SAT|FAIL|BAD))>+
exact  BITFIELD_RO {key} <GET {type} {place}>+
exact  BITFIELD_RO {key} SET u8 0 1
exact  SET {key} {value}
exact  GET {key}
exact  DEL {key}
"""
