"""Writes a file of random bytes and the .torrent that describes it (BEP 3, BEP 27).

Usage: torrent.py FOLDER ANNOUNCE_URL LENGTH PRIVATE

Makes FOLDER/data.bin, always the same for the same LENGTH, and FOLDER/data.torrent; prints the info
hash as 40 hex digits. PRIVATE is 1, or 0 where clients are to give the torrent itself to each other
(BEP 9), which they do not with a private one. The standard library alone: the clients under test must not judge a file that
one of them wrote.
"""

import hashlib
import pathlib
import random
import sys

# Small, so that every leecher soon has pieces that the others lack.
PIECE_BYTES = 32 * 1024


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, str):
        return bencode(value.encode())
    return b"d%se" % b"".join(bencode(key) + bencode(value[key]) for key in sorted(value))


folder = pathlib.Path(sys.argv[1])
announce, length, private = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

data = random.Random(1).getrandbits(8 * length).to_bytes(length, "big")
pieces = (data[at : at + PIECE_BYTES] for at in range(0, length, PIECE_BYTES))
info = {
    "length": length,
    "name": "data.bin",
    "piece length": PIECE_BYTES,
    "pieces": b"".join(hashlib.sha1(piece).digest() for piece in pieces),
    "private": private,
}
(folder / "data.bin").write_bytes(data)
(folder / "data.torrent").write_bytes(bencode({"announce": announce, "info": info}))
print(hashlib.sha1(bencode(info)).hexdigest())
