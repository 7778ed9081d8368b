"""Speaks TLS in front of a tracker, as a reverse proxy does: tls_front.py PEM HOST PORT.

Prints the port it listens on, on 127.0.0.1, and passes on whatever comes, both ways, until it is
killed. The first request of a connection is said to come from 192.0.2.9, which is nobody's.
"""

import socket
import ssl
import sys
import threading


FORWARDED = b"\r\nX-Forwarded-For: 192.0.2.9\r\n"


def copy(source, sink, line_end=b"\r\n"):
    """Copies to the end, with `line_end` in place of the first line end."""
    try:
        chunk = source.recv(65536).replace(b"\r\n", line_end, 1)
        while chunk:
            sink.sendall(chunk)
            chunk = source.recv(65536)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client, context, tracker):
    try:
        with context.wrap_socket(client, server_side=True) as inside:
            with socket.create_connection(tracker) as outside:
                back = threading.Thread(target=copy, args=(outside, inside), daemon=True)
                back.start()
                copy(inside, outside, FORWARDED)
                back.join()
    except OSError:
        pass


def main():
    certificate, host, port = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        arguments = (client, context, (host, int(port)))
        threading.Thread(target=serve, args=arguments, daemon=True).start()


main()
