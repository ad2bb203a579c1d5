#!/usr/bin/env python3
"""Who gets in and how: TLS, listening sockets that change, protected mode, users. A real server, several reactors, Python's
own ssl and redis-cli on the other side.

    tests/access.py [NAME …]     only these tests"""
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import certificates  # noqa: E402
from server_process import ServerProcess, free_port, synap_binary  # noqa: E402
from wire import Connection, ReplyError, encode  # noqa: E402

REACTORS = ("--io-threads", "2")


class TlsConnection(Connection):
    """The same client, over TLS."""

    def __init__(self, port, folder, identity="client", timeout=30, host="127.0.0.1", **settings):
        super().__init__(port, timeout=timeout, host=host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(os.path.join(folder, "ca.crt"))
        if identity:
            context.load_cert_chain(os.path.join(folder, identity + ".crt"), os.path.join(folder, identity + ".key"))
        for name, value in settings.items():
            setattr(context, name, value)
        self.socket = context.wrap_socket(self.socket)

    def certificate(self):
        return dict(pair[0] for pair in self.socket.getpeercert()["subject"])["commonName"]


def client_hello():
    """The first bytes of a handshake."""
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    try:
        context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


class Tests:
    def __init__(self):
        self.passed, self.failed, self.name = 0, 0, ""
        self.folder = tempfile.mkdtemp(prefix="synap-access-")
        certificates.make(self.folder)

    def check(self, what, good, *seen):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print(f"FAILED {self.name}: {what} {' '.join(repr(s) for s in seen)}", flush=True)

    def refused(self, what, connection, *args, text=""):
        try:
            reply = connection.call(*args)
            self.check(what, False, reply)
        except ReplyError as error:
            self.check(what, text in str(error), str(error))

    def ends(self, what, action):
        try:
            reply = action()
            self.check(what, False, reply)
        except (OSError, ConnectionError):
            self.check(what, True)

    def file(self, name):
        return os.path.join(self.folder, name)

    def server(self, *directives, **options):
        return ServerProcess(synap_binary(), *REACTORS, *directives, **options)

    def tls_server(self, *directives):
        port = free_port()
        server = self.server("--tls-port", str(port), "--tls-cert-file", self.file("server.crt"), "--tls-key-file", self.file("server.key"),
                             "--tls-ca-cert-file", self.file("ca.crt"), *directives)
        server.tls_port = port
        return server

    # ---- TLS

    def test_tls_carries_everything(self):
        server = self.tls_server()
        cli = ["redis-cli", "-p", str(server.tls_port), "--tls", "--cert", self.file("client.crt"), "--key", self.file("client.key"),
               "--cacert", self.file("ca.crt")]
        said = subprocess.run(cli + ["PING"], capture_output=True, text=True, check=False).stdout
        self.check("redis-cli --tls PING", said.strip() == "PONG", said)
        client = TlsConnection(server.tls_port, self.folder)
        for size in (0, 1, 100, 16383, 16384, 16385, 70000, 1 << 20, 30 << 20):
            value = os.urandom(size)
            client.call("SET", "key", value)
            self.check(f"a value of {size} bytes", client.call("GET", "key") == value)
        replies = client.pipeline([("INCR", "n")] * 20000)
        self.check("a pipeline of 20,000", [r[1] for r in replies] == list(range(1, 20001)))
        # Byte by byte, so that records and commands are cut everywhere.
        for byte in encode(["SET", "slow", "x" * 50]):
            client.send_raw(bytes([byte]))
        self.check("a record for every byte", client.read() == (b"+", b"OK"))
        client.call("CLIENT", "SETNAME", "secure")
        self.check("it is listed", b"name=secure" in server.connect().call("CLIENT", "LIST"))
        server.stop()

    def test_tls_slow_reader_of_a_big_reply(self):
        server = self.tls_server("--client-output-buffer-limit", "normal 0 0 0")
        slow = TlsConnection(server.tls_port, self.folder)
        value = os.urandom(1 << 20) * 64
        slow.call("SET", "big", value)
        other = server.connect()
        slow.send("GET", "big")
        slow.send("PING")
        worst = 0
        for _ in range(300):
            began = time.time()
            other.call("PING")
            worst = max(worst, time.time() - began)
        self.check("others are served meanwhile", worst < 0.25, worst)
        self.check("the reply is whole", slow.read() == (b"$", value))
        self.check("what follows it, too", slow.read() == (b"+", b"PONG"))
        server.stop()

    def test_tls_first_command_beside_what_others_send(self):
        """A handshake's last flight with a command behind it, read in one turn with another connection's bytes."""
        server = self.tls_server("--io-threads", "1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.file("ca.crt"))
        context.load_cert_chain(self.file("client.crt"), self.file("client.key"))
        other = server.connect()
        for number in range(5):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            session = context.wrap_bio(incoming, outgoing)
            with socket.create_connection(("127.0.0.1", server.tls_port), 10) as newcomer:
                for _ in range(2):
                    try:
                        session.do_handshake()
                    except ssl.SSLWantReadError:
                        newcomer.sendall(outgoing.read())
                        incoming.write(newcomer.recv(1 << 16))
                session.write(encode(["ECHO", "secret" * 1000]))
                payload = os.urandom(30000)
                server.process.send_signal(signal.SIGSTOP)
                newcomer.sendall(outgoing.read())
                other.send_raw(encode(["ECHO", payload]) * 2)
                server.process.send_signal(signal.SIGCONT)
                self.check(f"what the other sent is untouched, {number}", [other.read()[1] == payload for _ in range(2)] == [True, True])
                while True:
                    incoming.write(newcomer.recv(1 << 16))
                    try:
                        said = session.read(100)
                        break
                    except ssl.SSLWantReadError:
                        pass
                self.check(f"the first command is answered, {number}", said.startswith(b"$6000\r\nsecret"), said)
        server.stop()

    def test_tls_refuses_strangers(self):
        server = self.tls_server()
        plain = Connection(server.tls_port)
        plain.send("PING")
        self.ends("plain text on the TLS port", plain.more)
        self.ends("no client certificate", lambda: TlsConnection(server.tls_port, self.folder, identity=None).call("PING"))
        admin = server.connect()
        admin.call("CONFIG", "SET", "tls-auth-clients", "optional")
        self.check("optional: without one", TlsConnection(server.tls_port, self.folder, identity=None).call("PING") == b"PONG")
        self.check("optional: with one", TlsConnection(server.tls_port, self.folder).call("PING") == b"PONG")
        admin.call("CONFIG", "SET", "tls-auth-clients", "no")
        self.check("no: without one", TlsConnection(server.tls_port, self.folder, identity=None).call("PING") == b"PONG")
        admin.call("CONFIG", "SET", "tls-protocols", "TLSv1.2")
        self.ends("another protocol", lambda: TlsConnection(server.tls_port, self.folder, minimum_version=ssl.TLSVersion.TLSv1_3))
        older = TlsConnection(server.tls_port, self.folder)
        self.check("the one allowed", older.call("PING") == b"PONG" and older.socket.version() == "TLSv1.2")
        self.check("the log says why", "Error accepting a client connection: error:" in server.log())
        server.stop()

    def test_tls_settings_change_while_it_runs(self):
        server = self.tls_server()
        admin = server.connect()
        before = TlsConnection(server.tls_port, self.folder)
        self.check("the first certificate", before.certificate() == "Server")
        admin.call("CONFIG", "SET", "tls-cert-file", self.file("both.crt"), "tls-key-file", self.file("both.key"))
        self.check("new connections see the new one", TlsConnection(server.tls_port, self.folder).certificate() == "Both")
        self.check("old connections go on", before.call("PING") == b"PONG")
        self.refused("a key that does not fit", admin, "CONFIG", "SET", "tls-key-file", self.file("client.key"), text="Unable to update TLS")
        self.refused("a file that is not there", admin, "CONFIG", "SET", "tls-cert-file", "/nonexistent", text="Unable to update TLS")
        self.refused("ciphers that nobody knows", admin, "CONFIG", "SET", "tls-ciphers", "NOSUCH", text="Unable to update TLS")
        self.check("nothing of it holds", TlsConnection(server.tls_port, self.folder).certificate() == "Both")
        self.check("nor is it shown", admin.call("CONFIG", "GET", "tls-cert-file")[1].decode() == self.file("both.crt"))
        admin.call("CONFIG", "SET", "tls-dh-params-file", self.file("both.dh"))
        admin.call("CONFIG", "SET", "tls-session-caching", "no")
        self.check("after more changes", TlsConnection(server.tls_port, self.folder).call("PING") == b"PONG")
        admin.call("CONFIG", "SET", "tls-port", "0")
        self.ends("no TLS port any more", lambda: TlsConnection(server.tls_port, self.folder))
        self.check("its connections stay", before.call("PING") == b"PONG")
        admin.call("CONFIG", "SET", "tls-port", str(server.tls_port))
        self.check("and there it is again", TlsConnection(server.tls_port, self.folder).call("PING") == b"PONG")
        server.stop()

    def test_tls_without_a_certificate_does_not_start(self):
        server = self.server("--tls-port", str(free_port()), wait=False)
        self.check("exit code", server.process.wait(20) == 1)
        self.check("the log", "No tls-cert-file configured!" in server.log() and "Failed to configure TLS." in server.log())

    def test_handshakes_wait_for_commands(self):
        server = self.tls_server("--io-threads", "1")
        sleeper, asker, second_sleeper = (server.connect() for _ in range(3))
        strangers = [socket.create_connection(("127.0.0.1", server.tls_port)) for _ in range(100)]
        asker.call("PING")
        sleeper.socket.sendall(encode(["DEBUG", "SLEEP", "0.5"]))
        time.sleep(0.2)
        # While the reactor sleeps, all this comes together: a step for each handshake, a question, and another sleep.
        for stranger in strangers:
            stranger.sendall(client_hello())
        asker.socket.sendall(encode(["PING"]))
        second_sleeper.socket.sendall(encode(["DEBUG", "SLEEP", "2"]))
        self.check("the question is answered", asker.socket.recv(100) == b"+PONG\r\n")
        answered = len(select.select(strangers, [], [], 0)[0])
        self.check("before the handshakes", answered < 10, answered)
        deadline = time.time() + 60
        for stranger in strangers:
            stranger.settimeout(max(0.1, deadline - time.time()))
            self.check("each goes on", stranger.recv(1) == b"\x16")
        server.stop()

    def test_handshakes_end(self):
        server = self.tls_server()
        stop = threading.Event()
        made = [0]

        def storm():
            while not stop.is_set():
                TlsConnection(server.tls_port, self.folder).close()
                made[0] += 1
        # Half of them say nothing, or stop in the middle.
        idle = [socket.create_connection(("127.0.0.1", server.tls_port)) for _ in range(200)]
        for index, stranger in enumerate(idle):
            if index % 2:
                stranger.sendall(b"\x16\x03\x01\x02\x00\x01")
        threads = [threading.Thread(target=storm) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        stop.set()
        for thread in threads:
            thread.join()
        self.check("handshakes were made", made[0] > 4, made[0])
        deadline = time.time() + 15
        ended = 0
        for stranger in idle:
            stranger.settimeout(max(0.1, deadline - time.time()))
            try:
                while stranger.recv(100):
                    pass
                ended += 1
            except ConnectionError:
                ended += 1
            except OSError:
                pass
        self.check("whoever does not finish is sent away", ended == len(idle), ended)
        server.stop()

    def test_tls_garbage_never_ends_the_server(self):
        server = self.tls_server("--tls-auth-clients", "no")
        for seed in range(150):
            noise = os.urandom(1 + seed * 7 % 900)
            stranger = socket.create_connection(("127.0.0.1", server.tls_port))
            stranger.settimeout(10)
            stranger.sendall((b"\x16\x03\x01" if seed % 3 else b"") + noise)
            stranger.close()
            client = TlsConnection(server.tls_port, self.folder)
            raw = socket.socket(fileno=os.dup(client.socket.fileno()))
            raw.sendall((b"\x17\x03\x03\x00\x40" if seed % 2 else b"") + noise)  # into the middle of a session
            raw.close()
            client.close()
        self.check("it is alive", server.connect().call("PING") == b"PONG" and server.alive())
        server.stop()

    # ---- Listening sockets

    def test_ports_change_while_it_runs(self):
        server = self.server()
        old, taken = server.port, socket.socket()
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        admin = server.connect()
        self.refused("a port that is taken", admin, "CONFIG", "SET", "port", str(taken.getsockname()[1]), text="Unable to listen on this port")
        self.check("the old one is still there", Connection(old).call("PING") == b"PONG")
        for _ in range(20):
            new = free_port()
            admin.call("CONFIG", "SET", "port", str(new))
            self.check("the new one", Connection(new).call("PING") == b"PONG")
            self.ends("the old one", lambda: Connection(old))
            old = new
        self.refused("an address of another machine", admin, "CONFIG", "SET", "bind", "192.0.2.1", text="Failed to bind to specified addresses")
        self.check("still there", Connection(old).call("PING") == b"PONG")
        admin.call("CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2")
        self.check("the second address", Connection(old, host="127.0.0.2").call("PING") == b"PONG")
        admin.call("CONFIG", "SET", "bind", "127.0.0.1")
        self.ends("gone again", lambda: Connection(old, host="127.0.0.2"))
        self.check("the connection that asked for all this", admin.call("PING") == b"PONG")
        server.stop()

    def test_protected_mode(self):
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        probe.connect(("192.0.2.1", 9))  # sends nothing; names the address that leads outside
        outside = probe.getsockname()[0]
        server = self.tls_server("--bind", "*", "--protected-mode", "yes")
        admin = server.connect()
        stranger = Connection(server.port, host=outside)
        try:
            told = stranger.read()
        except ConnectionError as error:
            told = error
        self.check("a stranger is told why", told[0] == b"-" and told[1].startswith(b"DENIED Redis is running in protected mode"), told)
        self.ends("and sent away", stranger.more)
        self.check("counted", b"rejected_connections:1\r" in admin.call("INFO", "stats"))
        secured = TlsConnection(server.tls_port, self.folder, host=outside)
        secured.send("SET", "k", "v")
        told = secured.read()
        self.check("a stranger with TLS, too", told[0] == b"-" and told[1].startswith(b"DENIED Redis"), told)
        self.ends("and sent away", secured.more)
        self.check("nothing of his was done", admin.call("EXISTS", "k") == 0)
        admin.call("CONFIG", "SET", "requirepass", "secret")
        known = Connection(server.port, host=outside)
        self.refused("with a password set he may knock", known, "PING", text="NOAUTH")
        self.check("and come in", known.call("AUTH", "secret") == b"OK")
        admin.call("CONFIG", "SET", "requirepass", "")
        admin.call("CONFIG", "SET", "protected-mode", "no")
        self.check("switched off", Connection(server.port, host=outside).call("PING") == b"PONG")
        server.stop()

    def test_unix_socket(self):
        path = os.path.join(self.folder, "s.sock")
        group = str(os.getgid())
        server = self.server("--unixsocket", path, "--unixsocketperm", "700", "--unixsocketgroup", group)
        self.check("it answers", Connection(path=path).call("PING") == b"PONG")
        self.check("its rights", os.stat(path).st_mode & 0o777 == 0o700 and os.stat(path).st_gid == os.getgid())
        server.stop()
        self.check("it is gone at the end", not os.path.exists(path))

    # ---- Users

    def test_rights_hold_on_every_reactor_at_once(self):
        server = self.server()
        admin = server.connect()
        admin.call("ACL", "SETUSER", "bob", "on", ">pw", "~*", "+@all")
        clients = [server.connect() for _ in range(16)]
        for client in clients:
            client.call("AUTH", "bob", "pw")
            client.call("SET", "k", "v")
        for turn in range(30):
            may = turn % 2 == 1
            admin.call("ACL", "SETUSER", "bob", "+get" if may else "-get")
            for client in clients:
                try:
                    got = client.call("GET", "k") == b"v"
                except ReplyError as error:
                    got = False
                    self.check("the text", str(error) == "NOPERM User bob has no permissions to run the 'get' command", str(error))
                self.check("as the rule says", got == may)
        admin.call("ACL", "DELUSER", "bob")
        for client in clients:
            try:
                client.call("GET", "k")
                self.check("nothing after the user is gone", False)
            except (ReplyError, OSError, ConnectionError):
                self.check("nothing after the user is gone", True)
        time.sleep(0.2)
        self.check("their connections are gone", b"user=bob" not in admin.call("CLIENT", "LIST"))
        server.stop()

    def test_passwords_are_not_shown(self):
        server = self.server("--slowlog-log-slower-than", "0")
        admin, watcher = server.connect(), server.connect()
        watcher.call("MONITOR")
        for args in (("ACL", "SETUSER", "zoe", "on", ">hush1", "+@all"), ("AUTH", "zoe", "hush1"), ("HELLO", "2", "AUTH", "zoe", "hush1"),
                     ("HELLO", "3", "SETNAME", "me", "AUTH", "zoe", "hush1"), ("CONFIG", "SET", "requirepass", "hush2", "timeout", "0")):
            admin.call(*args)
        self.refused("a wrong password", admin, "AUTH", "hush3")
        seen = b"".join(watcher.read()[1] for _ in range(4))  # not ACL and CONFIG: administration is not shown
        self.check("MONITOR", b"hush" not in seen and b"(redacted)" in seen and b"requirepass" not in seen, seen)
        slow = repr(admin.typed("SLOWLOG", "GET", "20"))
        self.check("SLOWLOG", "hush" not in slow and "(redacted)" in slow)
        self.check("ACL LOG", "hush" not in repr(admin.typed("ACL", "LOG")))
        server.stop()

    def test_subscribers_are_gone_when_the_reply_comes(self):
        server = self.server()
        admin = server.connect()
        for turn in range(40):
            admin.call("ACL", "SETUSER", "sam", "on", "nopass", "+@all", "resetchannels", "&news", "&sport.*")
            listeners = [server.connect() for _ in range(6)]
            for listener in listeners:
                listener.call("AUTH", "sam", "x")
                listener.call("SUBSCRIBE", "news")
                listener.call("PSUBSCRIBE", "sport.*")
            admin.call("ACL", "SETUSER", "sam", "&more")
            self.check("nobody goes who keeps his channels", admin.call("PUBLISH", "news", "x") == 6)
            admin.call("ACL", "SETUSER", "sam", "resetchannels", "&news" if turn % 2 else "&sport.*")
            self.check("nobody hears what he may not", admin.call("PUBLISH", "news", "x") == 0)
            self.check("nor is he listed", b"user=sam" not in admin.call("CLIENT", "LIST"))
            for listener in listeners:
                listener.close()
        server.stop()

    def test_a_new_user_of_the_same_name_is_another_one(self):
        server = self.server()
        admin = server.connect()
        for _ in range(20):
            admin.call("ACL", "SETUSER", "eve", "on", ">pw", "~*", "+@all")
            old = [server.connect() for _ in range(4)]
            for client in old:
                client.call("AUTH", "eve", "pw")
            admin.pipeline([("ACL", "DELUSER", "eve"), ("ACL", "SETUSER", "eve", "on", ">other", "~*", "+@all")])
            for client in old:
                try:
                    self.check("the old one's connection", False, client.call("PING"))
                except (ReplyError, OSError, ConnectionError):
                    self.check("the old one's connection", True)
            fresh = server.connect()
            fresh.call("AUTH", "eve", "other")
            self.check("the new one's", fresh.call("ACL", "WHOAMI") == b"eve")
        server.stop()

    def test_users_in_a_file(self):
        path = os.path.join(self.folder, "users.acl")
        with open(path, "w", encoding="utf-8") as file:
            file.write("user alice on >pw ~a:* +@all\n\nuser default on nopass ~* &* +@all\n")
        server = self.server("--aclfile", path)
        admin = server.connect()
        alice = server.connect()
        alice.call("AUTH", "alice", "pw")
        self.refused("alice's rules", alice, "GET", "b", text="NOPERM No permissions to access a key")
        admin.call("ACL", "SETUSER", "carol", "on", "#" + "0" * 64, "%R~c*", "-@all", "+get", "(+set ~d*)")
        admin.call("ACL", "SAVE")
        listed = admin.call("ACL", "LIST")
        with open(path, encoding="utf-8") as file:
            self.check("the file has what ACL LIST says", file.read().encode() == b"".join(line + b"\n" for line in listed))
        with open(path, "a", encoding="utf-8") as file:
            file.write("user dave +nosuch\n")
        self.refused("a file with an error", admin, "ACL", "LOAD", text="users.acl:4: Error in applying operation '+nosuch'")
        self.check("nothing has changed", admin.call("ACL", "LIST") == listed)
        admin.call("ACL", "SAVE")
        server.stop()
        again = self.server("--aclfile", path)
        self.check("the same after a restart", again.connect().call("ACL", "LIST") == listed)
        again.stop()
        broken = self.server("--aclfile", path, "--user", "x on", wait=False)
        self.check("not from both files", broken.process.wait(20) == 1 and "please define either an ACL file" in broken.log())

    def test_users_in_the_configuration(self):
        folder = tempfile.mkdtemp(dir=self.folder)
        config = os.path.join(folder, "synap.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write("user alice on >pw ~* +@read\n")
        port = free_port()
        command = [synap_binary(), config, "--port", str(port), "--dir", folder, "--save", ""]
        for expected in (2, 3):
            with open(os.path.join(folder, "log"), "ab") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                admin = self.reach(port)
                self.check("users", len(admin.call("ACL", "USERS")) == expected, admin.call("ACL", "USERS"))
                admin.call("ACL", "SETUSER", "bob", "on", "nopass", "+get", "~x")
                admin.call("CONFIG", "REWRITE")
            finally:
                process.terminate()
                process.wait(20)
        for bad, text in ((["--user", "foo", "--user", "foo"], "Duplicate user found"), (["--user", "foo", "bad"], "Syntax error"),
                          (["--user", "foo", "+nosuch"], "Critical error while loading ACLs")):
            said = subprocess.run([synap_binary(), "--port", str(free_port()), *bad], capture_output=True, text=True, check=False)
            self.check(f"{bad} is refused", said.returncode == 1 and text in said.stdout + said.stderr, said.stdout + said.stderr)

    @staticmethod
    def reach(port):
        for _ in range(200):
            try:
                return Connection(port)
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("the server did not start")

    def run(self, only):
        for name in sorted(dir(self)):
            if not name.startswith("test_") or (only and name not in only and name[5:] not in only):
                continue
            self.name = name[5:]
            began = time.time()
            getattr(self, name)()
            print(f"{self.name}: {time.time() - began:.1f} s", flush=True)
        shutil.rmtree(self.folder)
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0


if __name__ == "__main__":
    sys.exit(Tests().run(sys.argv[1:]))
