#!/usr/bin/env python3
"""What encryption costs: server CPU time per GET over TLS 1.3 at several pipelines and per handshake with client certificates,
on synap-server with one reactor and on Debian's redis-server, in turn within one run; and the memory of an idle connection.
The load is made by redis-benchmark and `openssl s_time`. Prints a table.

    bench/tls.py [--server PATH] [--repeat 3] [--commands 400000] [--seconds 3]"""
import argparse
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tests"))

import certificates  # noqa: E402
from server_process import ServerProcess, free_port, synap_binary  # noqa: E402

PIPELINES = (1, 16, 100)
IDLE = 1000
TICKS = os.sysconf("SC_CLK_TCK")


class Side:
    def __init__(self, name, binary, folder, more):
        self.name, self.folder = name, folder
        self.tls_port = free_port()
        self.server = ServerProcess(binary, "--tls-port", str(self.tls_port), "--tls-cert-file", f"{folder}/server.crt", "--tls-key-file",
                                    f"{folder}/server.key", "--tls-ca-cert-file", f"{folder}/ca.crt", *more)

    def cpu_us(self):
        with open(f"/proc/{self.server.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1e6 / TICKS

    def resident(self):
        with open(f"/proc/{self.server.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def get(self, pipeline, count):
        before = self.cpu_us()
        subprocess.run(["redis-benchmark", "-p", str(self.tls_port), "--tls", "--cert", f"{self.folder}/client.crt", "--key",
                        f"{self.folder}/client.key", "--cacert", f"{self.folder}/ca.crt", "-t", "get", "-n", str(count), "-c", "20", "-P",
                        str(pipeline), "-d", "64", "-r", "100000", "-q"], check=True, capture_output=True)
        return (self.cpu_us() - before) / count

    def handshake(self, kind, seconds):
        before = self.cpu_us()
        said = subprocess.run(["openssl", "s_time", "-connect", f"127.0.0.1:{self.tls_port}", *kind, "-time", str(seconds), "-cert",
                               f"{self.folder}/client.crt", "-key", f"{self.folder}/client.key", "-CAfile", f"{self.folder}/ca.crt"],
                              check=True, capture_output=True, text=True).stdout
        made = int(next(line for line in said.splitlines() if "connections in" in line and "real" in line).split()[0])
        return (self.cpu_us() - before) / made

    def idle_bytes(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(f"{self.folder}/ca.crt")
        context.load_cert_chain(f"{self.folder}/client.crt", f"{self.folder}/client.key")
        before, kept = self.resident(), []
        for _ in range(IDLE):
            kept.append(context.wrap_socket(socket.create_connection(("127.0.0.1", self.tls_port))))
            kept[-1].sendall(b"PING\r\n")
            kept[-1].recv(100)
        return (self.resident() - before) / IDLE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default=synap_binary())
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--commands", type=int, default=400000)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="synap-tls-")
    certificates.make(folder)
    sides = [Side("synap", options.server, folder, ["--io-threads", "1"]), Side("redis", "redis-server", folder, [])]
    rows = [(f"GET over TLS, pipeline {p}, µs", lambda s, p=p: s.get(p, options.commands if p > 1 else options.commands // 4)) for p in PIPELINES]
    rows += [("full handshake, µs", lambda s: s.handshake(("-new", "-tls1_3"), options.seconds)),
             ("resumed handshake of TLS 1.2, µs", lambda s: s.handshake(("-reuse", "-tls1_2"), options.seconds)),
             ("idle connection, KiB", lambda s: s.idle_bytes() / 1024)]
    print(f"{'server CPU':32} {'synap':>9} {'redis':>9} {'ratio':>7}")
    for label, measure in rows:
        best = [min(measure(side) for _ in range(1 if "idle" in label else options.repeat)) for side in sides]
        print(f"{label:32} {best[0]:9.2f} {best[1]:9.2f} {best[0] / best[1]:6.2f} ×", flush=True)
    for side in sides:
        side.server.stop()
    shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
