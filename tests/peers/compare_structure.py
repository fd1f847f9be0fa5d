#!/usr/bin/env python3
"""Compares our ENVELOPE, BODYSTRUCTURE and BODY with those of other IMAP servers.

    compare_structure.py --forms PROGRAM [--peer NAME=PORT]... [--verbose] FILE|DIRECTORY...

Every file is one message. Its line ends are made CRLF, it is appended to an empty mailbox of each peer, which must
listen on 127.0.0.1, and what the peer answers is compared with what PROGRAM (`cargo build -p message --example forms`)
prints for the same bytes. Without --peer these are dovecot=11143 and cyrus=12143.

Compared are values, not bytes: quoted string or literal, upper or lower case where IMAP does not distinguish, a language
alone or in a list, the order of parameters, and runs of white space are the same; so are a charset left out and the
us-ascii that Dovecot then adds, the words that stand for a missing host, and an 8-bit character and the X that Cyrus
replaces it by. Counted per peer: equal messages, and for the others the places
that differ, as categories. --verbose also prints both values. The exit code is 0 if the comparison ran; what differs is
for a human to judge, since peers are wrong too.
"""

import argparse
import collections
import os
import re
import socket
import subprocess
import sys
import tempfile

MAILBOX = "compare-structure"


class Client:
    """As much of an IMAP client as this takes: commands, literals, and replies as nested lists."""

    def __init__(self, port, user, password):
        self.file = socket.create_connection(("127.0.0.1", port), 60).makefile("rwb")
        self.file.readline()
        self.tag = 0
        self.command(b"LOGIN %s %s" % (user.encode(), password.encode()))

    def command(self, line, literal=None):
        """Sends a command, perhaps with one literal behind it; gives the raw untagged replies or raises OSError."""
        self.tag += 1
        tag = b"t%d" % self.tag
        self.file.write(tag + b" " + line + (b" {%d}\r\n" % len(literal) if literal is not None else b"\r\n"))
        self.file.flush()
        replies = []
        while True:
            reply = self.reply()
            if reply.startswith(b"+ ") or reply == b"+\r\n":
                self.file.write(literal + b"\r\n")
                self.file.flush()
            elif reply.startswith(tag + b" "):
                if not reply.startswith(tag + b" OK"):
                    raise OSError(reply.decode("latin-1").strip())
                return replies
            else:
                replies.append(reply)

    def reply(self):
        """One reply with its literals."""
        return read_reply(self.file)


def read_reply(file):
    reply = b""
    while True:
        line = file.readline()
        if not line:
            raise EOFError("connection closed")
        reply += line
        size = re.search(rb"\{(\d+)\}\r\n$", line)
        if not size:
            return reply
        reply += file.read(int(size[1]))


def parse(data, at=0):
    """One value at `at`: bytes, None, a list or an atom as str. Gives the value and the place behind it."""
    if data[at : at + 1] == b"(":
        values, at = [], at + 1
        while data[at : at + 1] != b")":
            if at >= len(data):
                raise ValueError("list without end")
            if data[at : at + 1] == b" ":
                at += 1
                continue
            value, at = parse(data, at)
            values.append(value)
        return values, at + 1
    if data[at : at + 1] == b'"':
        match = re.compile(rb'"((?:[^"\\\r\n]|\\.)*)"', re.S).match(data, at)
        return re.sub(rb"\\(.)", rb"\1", match[1], flags=re.S), match.end()
    match = re.compile(rb"\{(\d+)\}\r\n").match(data, at)
    if match:
        end = match.end() + int(match[1])
        return data[match.end() : end], end
    match = re.compile(rb"[^ ()\r\n]+").match(data, at)
    return (None if match[0].upper() == b"NIL" else match[0].decode("latin-1")), match.end()


def fetch_items(reply):
    """The items of a FETCH reply as a dictionary."""
    values, _ = parse(reply, reply.index(b"("))
    return dict(zip([name.upper() for name in values[0::2]], values[1::2]))


def squeeze(value):
    """White space made one space: servers unfold differently."""
    return re.sub(rb"[ \t\r\n]+", b" ", value).strip() if isinstance(value, bytes) else value


def lower(value):
    return value.lower() if isinstance(value, bytes) else value


def pairs(value):
    """Parameters with their names in lower case."""
    if not isinstance(value, list):
        return value
    items = sorted((lower(name), squeeze(item)) for name, item in zip(value[0::2], value[1::2]))
    return [item for item in items if item != (b"charset", b"us-ascii")] or None


def flatten_envelope(envelope, prefix, out):
    names = ["date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id"]
    for name, value in zip(names, envelope):
        if isinstance(value, list):
            value = [[squeeze(part) for part in address] for address in value]
        out[prefix + name] = squeeze(value)


def flatten_body(body, prefix, out, extended):
    """Gives every value of a body structure a path."""
    if isinstance(body[0], list):
        children = [value for value in body if isinstance(value, list)]
        count = next(place for place, value in enumerate(body) if not isinstance(value, list))
        out[prefix + "children"] = count
        for place, child in enumerate(children[:count]):
            flatten_body(child, "%s%d." % (prefix, place + 1), out, extended)
        rest = body[count:]
        out[prefix + "type"] = b"multipart/" + lower(rest[0])
        if extended and len(rest) > 1:
            out[prefix + "parameters"] = pairs(rest[1])
        rest = rest[2:]
    else:
        kind, subtype = lower(body[0]), lower(body[1])
        out[prefix + "type"] = kind + b"/" + subtype
        names = ["parameters", "id", "description", "encoding", "octets"]
        for name, value in zip(names, [pairs(body[2]), body[3], body[4], lower(body[5]), body[6]]):
            out[prefix + name] = squeeze(value)
        rest = body[7:]
        if kind == b"message" and subtype in (b"rfc822", b"global") and rest and isinstance(rest[0], list):
            flatten_envelope(rest[0], prefix + "envelope.", out)
            flatten_body(rest[1], prefix + "message.", out, extended)
            out[prefix + "lines"] = rest[2]
            rest = rest[3:]
        elif kind == b"text":
            out[prefix + "lines"] = rest[0]
            rest = rest[1:]
        if extended:
            out[prefix + "md5"] = rest[0] if rest else None
        rest = rest[1:]
    if extended:
        disposition = rest[0] if rest else None
        if isinstance(disposition, list):
            disposition = [lower(disposition[0]), pairs(disposition[1])]
        language = rest[1] if len(rest) > 1 else None
        if isinstance(language, bytes):
            language = [language]
        out[prefix + "disposition"] = disposition
        out[prefix + "language"] = language and [lower(tag) for tag in language]
        out[prefix + "location"] = squeeze(rest[2]) if len(rest) > 2 else None


def flatten(items):
    out = {}
    flatten_envelope(items["ENVELOPE"], "", out)
    flatten_body(items["BODYSTRUCTURE"], "body.", out, True)
    plain = {}
    flatten_body(items["BODY"], "plain.", plain, False)
    out.update(plain)
    return out


def is_mail(name):
    return not name.startswith(".") and not name.endswith((".envelope", ".bodystructure"))


def canonical(raw):
    return re.sub(rb"\r?\n", b"\r\n", raw)


def our_answers(program, messages):
    """What our program says of each message."""
    answers = []
    with tempfile.TemporaryDirectory() as directory:
        paths = []
        for place, raw in enumerate(messages):
            paths.append(os.path.join(directory, str(place)))
            with open(paths[-1], "wb") as file:
                file.write(raw)
        for start in range(0, len(paths), 500):
            process = subprocess.Popen([program] + paths[start : start + 500], stdout=subprocess.PIPE)
            for _ in paths[start : start + 500]:
                answers.append(fetch_items(read_reply(process.stdout)))
            process.wait()
    return answers


def peer_answer(client, raw):
    """What a peer says of a message, or why it refused it."""
    client.command(b"SELECT " + MAILBOX.encode())
    client.command(b"STORE 1:* +FLAGS.SILENT (\\Deleted)") if client.messages else None
    client.command(b"EXPUNGE")
    client.messages = False
    client.command(b"APPEND " + MAILBOX.encode(), raw)
    client.messages = True
    replies = client.command(b"FETCH 1 (ENVELOPE BODYSTRUCTURE BODY)")
    return fetch_items(next(reply for reply in replies if b" FETCH (" in reply))


MISSING = {b"MISSING_DOMAIN": b"", b"unspecified-domain": b"", b"MISSING_MAILBOX": b""}


def neutral(value):
    """A value without the ways of saying the same that peers have."""
    if isinstance(value, (list, tuple)):
        return [neutral(item) for item in value]
    if isinstance(value, bytes):
        return re.sub(rb"[\x80-\xff]", b"X", MISSING.get(value, value))
    return value


def category(path):
    """A path without part numbers."""
    return re.sub(r"\d+\.", "", path.replace("message.", ""))


def compare(name, port, arguments, named, ours):
    client = Client(port, arguments.user, arguments.password)
    client.messages = False
    try:
        client.command(b"DELETE " + MAILBOX.encode())
    except OSError:
        pass
    client.command(b"CREATE " + MAILBOX.encode())
    equal, refused, categories = 0, 0, collections.Counter()
    for (file, raw), mine in zip(named, ours):
        try:
            theirs = flatten(peer_answer(client, raw))
        except OSError as error:
            refused += 1
            if arguments.verbose:
                print(f"{name}: {file}: refused: {error}")
            continue
        mine = flatten(mine)
        different = [
            path 
            for path in {**mine, **theirs}
            if neutral(mine.get(path, "absent")) != neutral(theirs.get(path, "absent"))
        ]
        if not different:
            equal += 1
        categories.update({category(path) for path in different if not path.startswith("plain.")})
        if arguments.verbose:
            for path in different:
                if not path.startswith("plain.") or "body." + path[6:] not in different:
                    print(f"{name}: {file}: {path}\n    ours   {mine.get(path, 'absent')!r}\n    theirs {theirs.get(path, 'absent')!r}")
    client.command(b"CLOSE")
    client.command(b"DELETE " + MAILBOX.encode())
    print(f"{name}: {len(named)} messages, {equal} equal, {refused} refused by the peer")
    for path, count in categories.most_common():
        print(f"    {count:5}  {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--forms", required=True, help="our example program `forms`")
    parser.add_argument("--peer", action="append", help="NAME=PORT on 127.0.0.1")
    parser.add_argument("--user", default="u0187")
    parser.add_argument("--password", default="pass")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("paths", nargs="+")
    arguments = parser.parse_args()
    files = []
    for path in arguments.paths:
        if os.path.isdir(path):
            files += sorted(os.path.join(top, name) for top, _, names in os.walk(path) for name in names if is_mail(name))
        else:
            files.append(path)
    named, seen = [], set()
    for file in files:
        with open(file, "rb") as stream:
            raw = canonical(stream.read())
        if raw and raw not in seen:
            seen.add(raw)
            named.append((file, raw))
    ours = our_answers(arguments.forms, [raw for _, raw in named])
    for peer in arguments.peer or ["dovecot=11143", "cyrus=12143"]:
        name, port = peer.split("=")
        compare(name, int(port), arguments, named, ours)
    return 0


if __name__ == "__main__":
    sys.exit(main())
