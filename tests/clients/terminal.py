"""Runs a program on a terminal of its own: terminal.py ROWS COLUMNS FRAMES KEYS PROGRAM...

Once the program has drawn FRAMES pictures (gone to the top left corner so often), types KEYS, with
escapes such as \\x03 for Ctrl-C. Writes what the program has written, and ends with its exit code.
After 10 seconds it types no more and ends with 99.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

rows, columns, frames = map(int, sys.argv[1:4])
keys = sys.argv[4].encode().decode("unicode_escape").encode()
ready, go = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.read(ready, 1)
    os.execv(sys.argv[5], sys.argv[5:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
before = termios.tcgetattr(terminal)
os.write(go, b"x")
written, typed, give_up = b"", False, time.monotonic() + 10
while time.monotonic() < give_up:
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        written += chunk
    if not typed and written.count(b"\x1b[H") >= frames:
        os.write(terminal, keys)
        typed = True
else:
    os.kill(pid, signal.SIGKILL)
    sys.stdout.buffer.write(written)
    sys.exit(99)
sys.stdout.buffer.write(written)
sys.stdout.flush()
after = termios.tcgetattr(terminal)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(code if before == after else 98)
