"""Makes torrents with libtorrent, and has it check files against torrents.

Usage: libtorrent_files.py make v1|hybrid|v2 PATH TORRENT PIECE_BYTES
       libtorrent_files.py check TORRENT FOLDER

`check` prints the v1 info hash and how many bytes of the torrent's files in FOLDER are whole, of
how many. It listens on no port and asks no tracker.
"""

import sys
import time

import libtorrent

# libtorrent 2.0 with padding between files for a hybrid, which it makes unless told otherwise.
FLAGS = {
    "v1": libtorrent.create_torrent.v1_only,
    "hybrid": 0,
    "v2": libtorrent.create_torrent.v2_only,
}
PATIENCE_SECONDS = 60


def make(kind, path, torrent, piece_bytes):
    files = libtorrent.file_storage()
    libtorrent.add_files(files, path)
    made = libtorrent.create_torrent(files, int(piece_bytes), FLAGS[kind])
    made.add_tracker("http://127.0.0.1:1/announce")
    libtorrent.set_piece_hashes(made, path.rsplit("/", 1)[0])
    with open(torrent, "wb") as out:
        out.write(libtorrent.bencode(made.generate()))


def check(torrent, folder):
    session = libtorrent.session({
        "listen_interfaces": "",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
    })
    described = libtorrent.torrent_info(torrent)
    handle = session.add_torrent({
        "ti": described,
        "save_path": folder,
        # Stopped once it has been checked, so that nothing is downloaded or announced.
        "flags": libtorrent.torrent_flags.stop_when_ready,
    })
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not handle.status().paused:
        if time.monotonic() > give_up:
            sys.exit("still checking: %s" % handle.status().state)
        time.sleep(0.05)
    status = handle.status()
    print(described.info_hashes().v1, status.total_done, described.total_size())


{"make": make, "check": check}[sys.argv[1]](*sys.argv[2:])
