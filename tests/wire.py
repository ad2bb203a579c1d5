"""A small RESP client for the Python tests and benchmarks. Replies keep their type: (b'+', b'OK'), (b':', 1),
(b'$', bytes or None), (b'*', [...] or None), (b'%', [key, value, ...]), (b'-', text) and so on."""
import re
import socket


def encode(args):
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        if not isinstance(arg, bytes):
            arg = str(arg).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(out)


class ReplyError(Exception):
    pass


class Connection:
    def __init__(self, port=None, path=None, timeout=30, host="127.0.0.1"):
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(path)
        else:
            self.socket = socket.create_connection((host, port), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.at = 0
        self.pushes = None  # a list: RESP3 pushes go there instead of being taken for replies

    def close(self):
        self.socket.close()

    def send(self, *args):
        self.socket.sendall(encode(args))

    def send_raw(self, data):
        self.socket.sendall(data)

    def more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.buffer = self.buffer[self.at:] + data
        self.at = 0

    def line(self):
        while True:
            end = self.buffer.find(b"\r\n", self.at)
            if end >= 0:
                line = self.buffer[self.at:end]
                self.at = end + 2
                return line
            self.more()

    def take(self, count):
        parts, have = [], 0
        while len(self.buffer) - self.at < count - have:
            parts.append(self.buffer[self.at:])
            have += len(parts[-1])
            self.at = len(self.buffer)
            self.more()
        parts.append(self.buffer[self.at:self.at + count - have])
        self.at += count - have
        return b"".join(parts)

    def read(self):
        """The next reply, typed."""
        reply = self.read_any()
        while reply[0] == b">" and self.pushes is not None:
            self.pushes.append(reply)
            reply = self.read_any()
        return reply

    def read_any(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind in (b"+", b"-", b",", b"(", b"#", b"_"):
            return kind, rest
        if kind == b":":
            return kind, int(rest)
        if kind in (b"$", b"="):
            return kind, None if rest == b"-1" else self.take(int(rest) + 2)[:-2]
        if kind in (b"*", b"~", b">"):
            return kind, None if rest == b"-1" else [self.read_any() for _ in range(int(rest))]
        if kind in (b"%", b"|"):
            items = [self.read_any() for _ in range(2 * int(rest))]
            return (kind, items) if kind == b"%" else self.read_any()
        raise ConnectionError(f"not RESP: {line[:80]!r}")

    def typed(self, *args):
        self.send(*args)
        return self.read()

    def call(self, *args):
        """Plain values; an error reply raises."""
        return plain(self.typed(*args))

    def pipeline(self, commands):
        self.socket.sendall(b"".join(map(encode, commands)))
        return [self.read() for _ in commands]

    def info(self, *sections):
        text = self.call("INFO", *sections).decode("utf-8", "replace")
        return dict(line.split(":", 1) for line in text.splitlines() if re.match(r"[\w-]+:", line))


def plain(reply):
    kind, value = reply
    if kind == b"-":
        raise ReplyError(value.decode("utf-8", "replace"))
    if kind in (b"*", b"~", b">"):
        return None if value is None else [plain(item) if item[0] != b"-" else ReplyError(item[1].decode()) for item in value]
    if kind == b"%":
        return {plain(value[i]): plain(value[i + 1]) for i in range(0, len(value), 2)}
    if kind == b"=":
        return value[4:]
    if kind == b"#":
        return value == b"t"
    if kind == b"_":
        return None
    return value


def show(reply, limit=300):
    """One line for people."""
    kind, value = reply
    if isinstance(value, list):
        text = kind.decode() + "[" + ", ".join(show(item, limit) for item in value[:40]) + ("…" if len(value) > 40 else "") + "]"
    elif isinstance(value, bytes):
        text = kind.decode() + repr(value)[1:]
    else:
        text = kind.decode() + ("nil" if value is None else str(value))
    return text if len(text) <= limit else text[:limit] + f"…({len(text)})"
