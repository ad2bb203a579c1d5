#!/usr/bin/env python3
"""Runs every libFuzzer target of the ASan build, the time shared equally, starting from its seeds in tests/fuzz/corpus/NAME/.
What a run finds is kept in build/fuzz/NAME/; a crash leaves its input there and fails.

    tests/fuzz/targets.py [--seconds N] [--build build/asan] [--seed N]"""
import argparse
import glob
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--build", default=os.path.join(ROOT, "build/asan"))
    parser.add_argument("--seed", type=int, default=0, help="0: a new one each run (libFuzzer prints it)")
    options = parser.parse_args()
    sources = sorted(glob.glob(os.path.join(ROOT, "tests/fuzz/*_fuzz.cc")))
    names = [os.path.basename(source)[:-3] for source in sources]
    passed = failed = 0
    for name in names:
        found = os.path.join(ROOT, "build/fuzz", name)
        os.makedirs(found, exist_ok=True)
        corpus = os.path.join(ROOT, "tests/fuzz/corpus", name)
        command = [os.path.join(options.build, name), f"-max_total_time={max(5, options.seconds // len(names))}",
                   f"-artifact_prefix={found}/", f"-seed={options.seed}", "-print_final_stats=1", "-timeout=20",
                   "-rss_limit_mb=2048", found] + ([corpus] if os.path.isdir(corpus) else [])
        print("+ " + " ".join(command), flush=True)
        try:
            code = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
        except OSError as error:
            print(error)
            code = 1
        passed, failed = passed + (code == 0), failed + (code != 0)
    if not names:
        print("no fuzz target in tests/fuzz/")
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
