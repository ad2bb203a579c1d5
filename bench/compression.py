#!/usr/bin/env python3
"""What value-compression costs and saves: bytes per key and server CPU per SET and GET of JSON documents of several sizes,
with each codec, without and with hot copies; GETs of all keys and of the hundredth that is hot.

    bench/compression.py [--server PATH] [--load PATH] [--keys 20000]"""
import argparse
import json
import os
import random
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests"))

from server_process import ServerProcess, synap_binary  # noqa: E402

CODECS = [("no", []), ("lz4", ["lz4"]), ("lz4, hot 64 MB", ["lz4", "--hot-cache-size", "64mb"]), ("zstd", ["zstd"]),
          ("zstd level 3", ["zstd", "--value-compression-level", "3"]), ("zstd, hot 64 MB", ["zstd", "--hot-cache-size", "64mb"])]


def document(size):
    chosen = random.Random(size)
    text = ""
    while len(text) < size:
        text += json.dumps({"id": chosen.randrange(10 ** 6), "name": "user" + str(chosen.randrange(1000)), "score": chosen.random(),
                            "mail": f"{chosen.randrange(10 ** 5)}@example.com", "state": chosen.choice(["waiting", "active", "closed"]),
                            "tags": chosen.choices(["red", "green", "blue"], k=2)}) + ","
    return text[:size]


def cpu_per_command(server, options, command, requests, keys):
    before = server.cpu_seconds()
    subprocess.run([options.load, "--port", str(server.port), "--connections", "20", "--pipeline", "16", "--requests", str(requests),
                    "--keys", str(keys), *command], check=True, stdout=subprocess.DEVNULL)
    return (server.cpu_seconds() - before) / requests * 1e6


def measure(size, directives, options):
    with ServerProcess(options.server, "--io-threads", "1", "--value-compression-min-bytes", "512", *directives) as server:
        connection = server.connect()
        before = int(connection.info("memory")["used_memory"])
        set_us = cpu_per_command(server, options, ["SET", "{seq}", document(size)], options.keys, options.keys)
        time.sleep(0.3)
        bytes_per_key = (int(connection.info("memory")["used_memory"]) - before) / options.keys
        get_us = cpu_per_command(server, options, ["GET", "{key}"], 3 * options.keys, options.keys)
        hot = max(1, options.keys // 100)
        cpu_per_command(server, options, ["GET", "{key}"], 10 * hot, hot)
        hot_us = cpu_per_command(server, options, ["GET", "{key}"], 3 * options.keys, hot)
        return bytes_per_key, set_us, get_us, hot_us


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default=synap_binary())
    parser.add_argument("--load", default=os.path.join(ROOT, "build/release/synap-bench-load"))
    parser.add_argument("--keys", type=int, default=20000)
    options = parser.parse_args()
    print("| document | compression | bytes per key | SET µs | GET µs | GET of a hot hundredth µs |\n|" + "---|" * 6)
    for size in (1024, 4096, 16384):
        for name, words in CODECS:
            directives = ["--value-compression", *words] if words else []
            bytes_per_key, set_us, get_us, hot_us = measure(size, directives, options)
            print(f"| {size} | {name} | {bytes_per_key:.0f} | {set_us:.2f} | {get_us:.2f} | {hot_us:.2f} |", flush=True)


if __name__ == "__main__":
    main()
