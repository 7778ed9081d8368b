//! What systemd is told: one datagram a message to the socket named in `NOTIFY_SOCKET`.
//!
//! The protocol of `sd_notify(3)`, whose documentation asks for its being written anew: lines of
//! `NAME=value`, of which muster sends `READY=1`, `STATUS=`, `STOPPING=1` and `WATCHDOG=1`. Without
//! `NOTIFY_SOCKET` there is nobody to tell. A message that cannot be sent is lost: systemd then
//! acts as if muster had hung, and nothing here may hold up a thread that serves.
//!
//! `WATCHDOG_USEC` and `WATCHDOG_PID` (`sd_watchdog_enabled(3)`) say how often it wants a sign.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::request::quoted;

/// The way to systemd.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog_millis: Option<u64>,
}

impl Notifier {
    /// What these variables ask for; `None` if nobody wants to be told. `pid` is this process's.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        pid: u32,
    ) -> Result<Option<Notifier>, String> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let shown = quoted(name.as_bytes());
        let failed = |error: &dyn std::fmt::Display| format!("NOTIFY_SOCKET {shown}: {error}");
        let address = address_of(&name).map_err(|error| failed(&error))?;
        let socket = UnixDatagram::unbound().map_err(|error| failed(&error))?;
        // Whoever does not read must not be waited for.
        socket.set_nonblocking(true).map_err(|error| failed(&error))?;
        let watchdog_millis = watchdog_millis(variable, pid)?;
        Ok(Some(Notifier { socket, address, watchdog_millis }))
    }

    /// A silence this long ends the process, in milliseconds; `None` if none does.
    #[must_use]
    pub fn watchdog_millis(&self) -> Option<u64> {
        self.watchdog_millis
    }

    /// Sends lines of `NAME=value`.
    pub fn tell(&self, lines: &str) {
        // Nobody else could be told that systemd listens no more.
        let _ = self.socket.send_to_addr(lines.as_bytes(), &self.address);
    }
}

/// The address in `NOTIFY_SOCKET`: a path, or after an `@` a name in the abstract namespace.
fn address_of(name: &OsStr) -> std::io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.as_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(name)
}

/// How long a silence systemd bears. A variable that is meant for another process is none.
fn watchdog_millis(
    variable: impl Fn(&str) -> Option<OsString>,
    pid: u32,
) -> Result<Option<u64>, String> {
    if variable("WATCHDOG_PID").is_some_and(|meant| meant != *pid.to_string()) {
        return Ok(None);
    }
    let Some(text) = variable("WATCHDOG_USEC") else { return Ok(None) };
    let micros = text.to_str().and_then(|text| text.parse::<u64>().ok());
    // Under a millisecond nobody could keep it.
    let millis = micros.map(|micros| micros / 1000).filter(|millis| *millis > 0);
    millis.map(Some).ok_or_else(|| {
        format!("WATCHDOG_USEC: {}: expected microseconds, 1000 or more", quoted(text.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Variables<'a> = [(&'a str, &'a str)];

    fn notifier(variables: &Variables) -> Result<Option<Notifier>, String> {
        let value = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| OsString::from(*value))
        };
        Notifier::from_variables(value, 42)
    }

    #[test]
    fn without_a_socket_nobody_is_told() {
        for variables in [&[][..], &[("NOTIFY_SOCKET", "")], &[("WATCHDOG_USEC", "1000000")]] {
            assert!(matches!(notifier(variables), Ok(None)), "{variables:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_message_arrives_at_an_abstract_socket() {
        use std::os::linux::net::SocketAddrExt as _;
        let name = format!("muster-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let systemd = UnixDatagram::bind_addr(&address).expect("a name of our own");
        let told = notifier(&[("NOTIFY_SOCKET", &format!("@{name}"))]);
        told.expect("a good name").expect("a notifier").tell("READY=1\nSTATUS=x");
        let mut message = [0; 64];
        let length = systemd.recv(&mut message).expect("a message");
        assert_eq!(message.get(..length), Some(&b"READY=1\nSTATUS=x"[..]));
    }

    #[test]
    fn the_watchdog_is_ours_when_it_names_us_or_nobody() {
        for (variables, wanted) in [
            (&[("WATCHDOG_USEC", "30000000")][..], Some(30_000)),
            (&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "42")], Some(30_000)),
            (&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "41")], None),
            (&[("WATCHDOG_PID", "42")], None),
        ] {
            let variables = [&[("NOTIFY_SOCKET", "/x")], variables].concat();
            let notifier = notifier(&variables).expect("good variables").expect("a socket");
            assert_eq!(notifier.watchdog_millis(), wanted, "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        let error = |variables: &Variables| notifier(variables).expect_err("wrong");
        for text in ["soon", "-1", "0", "999"] {
            assert_eq!(
                error(&[("NOTIFY_SOCKET", "/x"), ("WATCHDOG_USEC", text)]),
                format!("WATCHDOG_USEC: \"{text}\": expected microseconds, 1000 or more")
            );
        }
        assert_eq!(
            error(&[("NOTIFY_SOCKET", &"x".repeat(200))]),
            format!(
                "NOTIFY_SOCKET \"{}...\": path must be shorter than SUN_LEN",
                "x".repeat(crate::limits::QUOTED_BYTES_MAX)
            )
        );
    }
}
