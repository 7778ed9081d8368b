"""A BitTorrent client of one torrent: what libtorrent (qBittorrent, Deluge) does with our tracker.

Usage: libtorrent_peer.py TORRENT FOLDER ADDRESS

Shares TORRENT with its data in FOLDER, whole, in part or not at all yet, listening on a port of
ADDRESS that the system chooses. Prints what libtorrent reports, until SIGINT or SIGTERM: then it
says `stopped` to the tracker and ends.
"""

import signal
import sys
import time

import libtorrent
from libtorrent import tracker_error_alert, tracker_reply_alert

# How long it waits for the tracker's answer to `stopped`.
TRACKER_SECONDS = 10

torrent, folder, address = sys.argv[1:]
settings = {
    "listen_interfaces": f"{address}:0",
    "outgoing_interfaces": address,
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    # All peers of a test are on this host.
    "allow_multiple_connections_per_ip": True,
    "stop_tracker_timeout": TRACKER_SECONDS,
    "alert_mask": libtorrent.alert.category_t.error_notification
    | libtorrent.alert.category_t.peer_notification
    | libtorrent.alert.category_t.status_notification
    | libtorrent.alert.category_t.tracker_notification,
}

stopping = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: stopping.append(number))

session = libtorrent.session(settings)
parameters = libtorrent.add_torrent_params()
parameters.ti = libtorrent.torrent_info(torrent)
parameters.save_path = folder
# Without these two it starts at once and is not paused behind other torrents later.
parameters.flags &= ~libtorrent.torrent_flags.auto_managed
parameters.flags &= ~libtorrent.torrent_flags.paused
# Peers come from the tracker alone.
parameters.flags |= libtorrent.torrent_flags.disable_pex
session.add_torrent(parameters)


def report():
    """Prints what has happened since the last call; returns whether the tracker has answered."""
    session.wait_for_alert(100)
    answered = False
    for alert in session.pop_alerts():
        print(f"{type(alert).__name__}: {alert.message()}", flush=True)
        answered |= isinstance(alert, (tracker_reply_alert, tracker_error_alert))
    return answered


while not stopping:
    report()

# Pausing says `stopped` to the tracker.
session.pause()
give_up = time.monotonic() + TRACKER_SECONDS
while not report() and time.monotonic() < give_up:
    pass
