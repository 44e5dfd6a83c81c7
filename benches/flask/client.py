"""Counts the pictures that the Flask camera sends within so many seconds; says first when it begins to count.

usage: client.py PORT SECONDS
"""

import socket
import ssl
import sys
import time

port, seconds = int(sys.argv[1]), float(sys.argv[2])
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
with context.wrap_socket(socket.create_connection(("127.0.0.1", port))) as link:
    link.sendall(b"GET / HTTP/1.1\r\nHost: camera\r\n\r\n")
    warm = time.monotonic() + 1
    while time.monotonic() < warm:
        link.recv(1 << 18)
    print("counting", flush=True)
    end = time.monotonic() + seconds
    frames, tail = 0, b""
    while time.monotonic() < end:
        got = link.recv(1 << 18)
        if not got:
            sys.exit("the camera has gone")
        text = tail + got
        frames += text.count(b"--frame\r\n")
        tail = got[-8:]
print(frames)
