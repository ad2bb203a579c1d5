"""Geo: positions, distances, searches."""

ATOMS = {
    "key": ["g1", "g2", "g3", "z", "str", "nokey"],
    "lon": lambda r: f"{r.uniform(-180, 180):.{r.randint(0, 8)}f}" if r.random() < 0.95 else r.choice(["181", "-181", "abc", "nan"]),
    "lat": lambda r: f"{r.uniform(-85, 85):.{r.randint(0, 8)}f}" if r.random() < 0.95 else r.choice(["86", "-86", "abc"]),
    "nearlon": lambda r: f"{r.uniform(13, 16):.6f}",
    "nearlat": lambda r: f"{r.uniform(36, 39):.6f}",
    "member": ["Palermo", "Catania", "Rome", "m1", "m2", "m3", "m4", "nowhere"],
    "unit": ["m", "km", "ft", "mi", "KM", "parsec"],
    "radius": lambda r: r.choice(["10", "100", "200", "500", "1000", "0", "20000", "-1", "abc"]),
}
SETUP = """
exact  SET str text
exact  GEOADD g1 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.496366 41.902782 Rome
exact  ZADD z 1 a
"""
TABLE = """
3* exact  GEOADD {key} [(NX|XX)] [CH] <{nearlon} {nearlat} {member}>+
exact  GEOADD {key} {lon} {lat} {member}
2* dbl  GEODIST {key} {member} {member} [{unit}]
exact  GEOHASH {key} <{member}>+
dbl  GEOPOS {key} <{member}>+
3* dbl  GEOSEARCH {key} (FROMMEMBER {member}|FROMLONLAT {nearlon} {nearlat}) (BYRADIUS {radius} {unit}|BYBOX {radius} {radius} {unit}) (ASC|DESC) [COUNT {count}] [WITHCOORD] [WITHDIST] [WITHHASH]
set+dbl  GEOSEARCH {key} FROMLONLAT {lon} {lat} BYRADIUS {radius} {unit} [WITHDIST]
dbl  GEOSEARCH {key} FROMMEMBER {member} [FROMLONLAT 1 2] [BYRADIUS {radius} {unit}] [ASC]
exact  GEOSEARCHSTORE {key} {key} FROMMEMBER {member} BYRADIUS {radius} km ASC [COUNT {count}] [STOREDIST]
dbl  GEORADIUS {key} {nearlon} {nearlat} {radius} {unit} [WITHDIST] [WITHCOORD] [WITHHASH] [COUNT {count}] (ASC|DESC)
dbl  GEORADIUS_RO {key} {nearlon} {nearlat} {radius} km ASC
dbl  GEORADIUSBYMEMBER {key} {member} {radius} km [WITHDIST] ASC
dbl  GEORADIUSBYMEMBER_RO {key} {member} {radius} km DESC
exact  GEORADIUS {key} {nearlon} {nearlat} {radius} km (STORE|STOREDIST) {key}
exact  GEORADIUSBYMEMBER {key} {member} {radius} km (STORE|STOREDIST) {key}
dbl  ZRANGE {key} 0 -1 WITHSCORES
exact  DEL {key}
"""
