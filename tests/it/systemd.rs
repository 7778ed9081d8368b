//! Under systemd: what it is told, what it passes, what it is given to run.
//!
//! systemd itself runs in none of these tests. Its ends are played: the socket it reads
//! notifications from, the listening sockets it holds while muster is away. What it makes of the
//! units is asked of `systemd-analyze`.

mod notify;
mod sockets;
