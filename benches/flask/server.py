"""A camera as beginners build it: JPEGs in a multipart answer of Flask's own server, over TLS.

usage: server.py PICTURES.mjpeg FPS CERTIFICATE KEY; prints its port.
"""

import logging
import sys
import threading
import time

from flask import Flask, Response
from werkzeug.serving import make_server

pictures, fps, certificate, key = sys.argv[1:]
with open(pictures, "rb") as file:
    start = b"\xff\xd8\xff"
    frames = [start + rest for rest in file.read().split(start)[1:]]

# one camera for all, as a driver gives it: the newest picture, and word that there is one
newest = [frames[0]]
word = threading.Condition()


def film():
    due = time.monotonic()
    number = 0
    while True:
        due += 1 / float(fps)
        time.sleep(max(0, due - time.monotonic()))
        with word:
            newest[0] = frames[number % len(frames)]
            word.notify_all()
        number += 1


def parts():
    while True:
        with word:
            word.wait()
            frame = newest[0]
        yield b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + frame + b"\r\n"


app = Flask(__name__)
logging.getLogger("werkzeug").setLevel(logging.ERROR)


@app.route("/")
def video():
    return Response(parts(), mimetype="multipart/x-mixed-replace; boundary=frame")


threading.Thread(target=film, daemon=True).start()
server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=(certificate, key))
print(server.server_port, flush=True)
server.serve_forever()
