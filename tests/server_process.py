"""Starts and stops one server process (ours or Debian's redis-server) for the Python tests and benchmarks."""
import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time

from wire import Connection, ReplyError

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def synap_binary():
    return os.environ.get("SYNAP_SERVER", os.path.join(ROOT, "build/release/synap-server"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def executable(binary):
    """(argv0, file). Debian's redis-tools holds the server's program under another name; redis-server is only a link to it."""
    if binary == "redis-server" and not shutil.which(binary):
        return binary, shutil.which("redis-check-rdb") or binary
    return binary, shutil.which(binary) or binary


class ServerProcess:
    def __init__(self, binary, *directives, folder=None, env=None, wait=True, prefix=()):
        """directives: "--name", "value", … after the few that every test wants."""
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="synap-test-")
        self.port = free_port()
        self.log_path = os.path.join(self.folder, "server.log")
        argv0, file = executable(binary)
        command = [argv0, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "",
                   "--enable-debug-command", "yes", "--latency-tracking", "no", *directives]
        if prefix:
            command, file = [*prefix, file, *command[1:]], prefix[0]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, executable=shutil.which(file) or file, cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        atexit.register(self.stop)  # whatever ends the test
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=60):
        deadline = time.time() + seconds
        while time.time() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            try:
                connection = self.connect(timeout=10)
                try:
                    connection.call("PING")
                    return
                except ReplyError as error:
                    if not str(error).startswith("LOADING"):
                        return
                finally:
                    connection.close()
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"the server was not ready after {seconds} s:\n{self.log()[-3000:]}")

    def connect(self, **options):
        return Connection(self.port, **options)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def alive(self):
        return self.process.poll() is None

    def cpu_seconds(self):
        """User and system time of the process so far."""
        cpu_clock = (~self.process.pid << 3) | 2  # clock_getcpuclockid(3): nanoseconds, where /proc counts ticks of 10 ms
        return time.clock_gettime(cpu_clock)

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self, seconds=30):
        """Ends it in order and returns its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        atexit.unregister(self.stop)
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
