#!/usr/bin/env python3
"""How well do the maxmemory policies choose? A cache is read by a Zipf trace (a miss stores the key) whose popular keys
change half way, on synap-server and on Debian's redis-server, both with room for the same number of keys, beside an exact
LRU of that size. Prints a table of hit ratios and draws bench/eviction.svg.

    bench/eviction.py [--server PATH] [--keys 100000] [--room 10000] [--requests 1200000] [--seconds 40] [--policies allkeys-lru,…]

Both servers' LRU clocks count seconds, so the trace is stretched over --seconds."""
import argparse
import collections
import itertools
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tests"))

from server_process import ServerProcess, synap_binary  # noqa: E402
from wire import encode  # noqa: E402

VALUE = b"v" * 100
BATCH = 50
WINDOWS = 60
EXPONENT = 0.99
COLOURS = {"synap": "#d6336c", "redis": "#1971c2", "exact LRU": "#868e96"}


def trace(options):
    """Key numbers; in the second half every key's popularity is another's."""
    random.seed(7)
    weights = list(itertools.accumulate(1 / rank ** EXPONENT for rank in range(1, options.keys + 1)))
    names = list(range(options.keys))
    random.shuffle(names)
    half = options.requests // 2
    requests = [names[rank] for rank in random.choices(range(options.keys), cum_weights=weights, k=half)]
    random.shuffle(names)
    return requests + [names[rank] for rank in random.choices(range(options.keys), cum_weights=weights, k=half)]


def key_of(number):
    return b"key:%012d" % number


def used_memory(connection):
    return int(connection.info("memory")["used_memory"])


def store_all(connection, keys):
    for first in range(0, len(keys), BATCH):
        batch = keys[first:first + BATCH]
        connection.send_raw(b"".join(encode((b"SET", key, VALUE)) for key in batch))
        for _ in batch:
            connection.read()


def settle_room(connection, options):
    """Sets maxmemory so that --room keys fit while the trace runs: tried with other keys, until it is right."""
    time.sleep(0.3)
    empty = used_memory(connection)
    store_all(connection, [b"old:%012d" % i for i in range(options.room)])
    limit = used_memory(connection)
    each = (limit - empty) / options.room
    for attempt in range(6):
        connection.call("CONFIG", "SET", "maxmemory", str(int(limit)))
        store_all(connection, [b"%03d:%012d" % (attempt, i) for i in range(2 * options.room)])
        limit += (options.room - connection.call("DBSIZE")) * each


def run(binary, policy, requests, options):
    hits = [0] * WINDOWS
    seen = [0] * WINDOWS
    directives = ["--appendonly", "no", "--maxmemory-policy", policy] + (["--io-threads", "1"] if "synap" in binary else [])
    with ServerProcess(binary, *directives) as server:
        connection = server.connect(timeout=60)
        settle_room(connection, options)
        began = time.time()
        for first in range(0, len(requests), BATCH):
            ahead = options.seconds * first / len(requests) - (time.time() - began)
            if ahead > 0.01:
                time.sleep(ahead)
            keys = [key_of(number) for number in requests[first:first + BATCH]]
            connection.send_raw(b"".join(encode((b"GET", key)) for key in keys))
            found = [connection.read()[1] is not None for _ in keys]
            window = first * WINDOWS // len(requests)
            hits[window] += sum(found)
            seen[window] += len(keys)
            missed = list(dict.fromkeys(key for key, hit in zip(keys, found) if not hit))
            if missed:
                connection.send_raw(b"".join(encode((b"SET", key, VALUE)) for key in missed))
                for _ in missed:
                    connection.read()
        held = connection.call("DBSIZE")
        over = used_memory(connection) / int(connection.info("memory")["maxmemory"]) - 1
    return hits, seen, held, over


def run_exact_lru(requests, room):
    hits = [0] * WINDOWS
    seen = [0] * WINDOWS
    cache = collections.OrderedDict()
    for index, number in enumerate(requests):
        window = index * WINDOWS // len(requests)
        seen[window] += 1
        if number in cache:
            hits[window] += 1
            cache.move_to_end(number)
        else:
            cache[number] = True
            if len(cache) > room:
                cache.popitem(last=False)
    return hits, seen, len(cache), 0


def percent(hits, seen):
    return 100 * sum(hits) / max(1, sum(seen))


def draw(panels, path):
    """One panel per policy: hit ratio over the trace."""
    width, height, left, top = 420, 240, 46, 34
    columns = 2
    rows = (len(panels) + columns - 1) // columns
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns * (width + 30) + 20}" height="{rows * (height + 70) + 30}" '
           'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>']
    for index, (policy, lines) in enumerate(panels.items()):
        x0 = left + index % columns * (width + 30)
        y0 = top + index // columns * (height + 70)
        top_ratio = 100
        out.append(f'<text x="{x0}" y="{y0 - 10}" font-weight="bold">{policy}: hit ratio in % over the trace</text>')
        for ratio in range(0, top_ratio + 1, 20):
            y = y0 + height - height * ratio / top_ratio
            out.append(f'<line x1="{x0}" x2="{x0 + width - 40}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dee2e6"/>'
                       f'<text x="{x0 - 26}" y="{y + 4:.1f}">{ratio}</text>')
        for place, (name, (hits, seen, _, _)) in enumerate(lines.items()):
            points = [(x0 + (width - 40) * i / (WINDOWS - 1), y0 + height - height * hits[i] / max(1, seen[i]) * 100 / top_ratio)
                      for i in range(WINDOWS)]
            dash = ' stroke-dasharray="4 3"' if name == "exact LRU" else ""
            out.append(f'<polyline fill="none" stroke="{COLOURS[name]}" stroke-width="1.6"{dash} points="'
                       + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>')
            out.append(f'<text x="{x0 + 120 * place}" y="{y0 + height + 22}" fill="{COLOURS[name]}">{name} {percent(hits, seen):.1f}</text>')
    out.append("</svg>\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default=synap_binary())
    parser.add_argument("--keys", type=int, default=100000)
    parser.add_argument("--room", type=int, default=10000)
    parser.add_argument("--requests", type=int, default=1200000)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--policies", default="allkeys-lru,allkeys-lfu,allkeys-random")
    parser.add_argument("--output", default=os.path.join(HERE, "eviction.svg"))
    options = parser.parse_args()
    requests = trace(options)
    exact = run_exact_lru(requests, options.room)
    panels = {}
    print("| policy | synap | redis | exact LRU | difference | keys held | over maxmemory |\n|" + "---|" * 7)
    for policy in options.policies.split(","):
        lines = {"synap": run(options.server, policy, requests, options), "redis": run("redis-server", policy, requests, options),
                 "exact LRU": exact}
        panels[policy] = lines
        ratios = [percent(*line[:2]) for line in lines.values()]
        print(f"| {policy} | " + " | ".join(f"{ratio:.2f} %" for ratio in ratios) + f" | {ratios[0] - ratios[1]:+.2f} | "
              f"{lines['synap'][2]}, {lines['redis'][2]} | {100 * lines['synap'][3]:+.2f} %, {100 * lines['redis'][3]:+.2f} % |", flush=True)
    draw(panels, options.output)


if __name__ == "__main__":
    main()
