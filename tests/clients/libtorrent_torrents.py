"""Makes torrents with libtorrent, and says what libtorrent reads in these and in others.

Usage: libtorrent_torrents.py CONTENT FOLDER

Writes FOLDER/libtorrent-v1.torrent, -v2 and -hybrid of the file or folder CONTENT, then prints a
line of JSON for every .torrent file in FOLDER, whoever made it. Offsets of empty files are null:
they lie nowhere.
"""

import json
import os
import pathlib
import sys

import libtorrent

PIECE_BYTES = 32 * 1024
FORMS = {
    "v1": libtorrent.create_torrent.v1_only,
    "v2": libtorrent.create_torrent.v2_only,
    "hybrid": 0,
}

content, folder = map(pathlib.Path, sys.argv[1:])

for form, flag in FORMS.items():
    flags = flag | libtorrent.create_torrent.symlinks
    files = libtorrent.file_storage()
    libtorrent.add_files(files, str(content), flags=flags)
    made = libtorrent.create_torrent(files, PIECE_BYTES, flags)
    made.add_tracker("http://a.example/announce", 0)
    made.add_tracker("udp://b.example:80", 0)
    made.add_tracker("https://c.example/announce", 1)
    made.add_url_seed("http://w.example/" + form)
    made.add_node("n.example", 6881)
    made.set_comment("a comment in " + form)
    made.set_creator("libtorrent's test")
    made.set_priv(form == "v2")
    libtorrent.set_piece_hashes(made, str(content.parent))
    torrent = folder / f"libtorrent-{form}.torrent"
    torrent.write_bytes(libtorrent.bencode(made.generate()))

for torrent in sorted(folder.glob("*.torrent")):
    info = libtorrent.torrent_info(libtorrent.bdecode(torrent.read_bytes()))
    files = info.files()
    real = [
        index
        for index in range(files.num_files())
        if not files.file_flags(index) & libtorrent.file_flags_t.flag_pad_file
    ]
    tiers = [[], [], []]
    for tracker in info.trackers():
        tiers[tracker.tier].append(tracker.url)
    hashes = info.info_hashes()
    said = {
        "file": torrent.name,
        "info_hash_v1": str(hashes.v1) if hashes.has_v1() else None,
        "info_hash_v2": str(hashes.v2) if hashes.has_v2() else None,
        "name": info.name(),
        "size": sum(files.file_size(index) for index in real),
        "piece_length": info.piece_length(),
        "piece_count": info.num_pieces(),
        "private": info.priv(),
        "comment": info.comment(),
        "created_by": info.creator(),
        "creation_date": info.creation_date(),
        "trackers": [tier for tier in tiers if tier],
        "web_seeds": [seed["url"] for seed in info.web_seeds()],
        "nodes": [f"{host}:{port}" for host, port in info.nodes()],
        "files": [
            {
                "path": files.file_path(index),
                "length": files.file_size(index),
                "offset": files.file_offset(index) if files.file_size(index) else None,
                "symlink": os.path.normpath(files.symlink(index))
                if files.file_flags(index) & libtorrent.file_flags_t.flag_symlink
                else None,
            }
            for index in real
        ],
    }
    print(json.dumps(said))
