//! The portable HTTP engine: a pool of threads that loop over `tiny_http`'s `Server::recv`.
//!
//! It answers through the same [`Service`] as the epoll engine, but what comes before a request is
//! understood is `tiny_http`'s: no deadlines, no bound on connections or heads, and one 70-byte
//! request ends the process (README, "Design", shows it). `config` therefore lets it listen on
//! nothing but loopback addresses and Unix sockets, where a reverse proxy has vetted what arrives.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use tiny_http::{HTTPVersion, Request, Server};

use crate::clock::Clock;
use crate::limits::{HTTP_BODY_BYTES_MAX, TINY_STOP_LOOK_MILLIS};
use crate::listen::{Listener, SocketFile};
use crate::log;
use crate::request::Seconds;
use crate::subnet::canonical;

use super::conn::encode_problem;
use super::head::{Body, Head, Method, Problem};
use super::operator::encode_operator_problem;
use super::status::{Status, encode_head};
use super::stream::ReplyStream;
use super::{Caller, Outcome, Service, Work};

/// The running engine.
pub struct Engine {
    servers: Vec<Arc<Server>>,
    workers: Vec<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
    /// Kept until the engine is dropped, which removes them.
    files: Vec<SocketFile>,
}

impl Engine {
    /// Starts `workers` threads for each listener.
    pub fn start(
        listeners: Vec<Listener>,
        service: &Arc<Service>,
        workers: usize,
    ) -> Result<Engine, String> {
        let stopping = Arc::new(AtomicBool::new(false));
        let mut engine =
            Engine { servers: Vec::new(), workers: Vec::new(), stopping, files: Vec::new() };
        for listener in listeners {
            // tiny_http's accept thread expects a listener that blocks.
            let failed = |error| format!("cannot start tiny_http on a listener: {error}");
            let listener: tiny_http::Listener = match listener {
                Listener::Tcp(listener) => {
                    listener.set_nonblocking(false).map_err(failed)?;
                    listener.into()
                }
                Listener::Unix(listener, file) => {
                    listener.set_nonblocking(false).map_err(failed)?;
                    engine.files.push(file);
                    listener.into()
                }
            };
            let server = Server::from_listener(listener, None)
                .map_err(|error| format!("cannot start tiny_http: {error}"))?;
            let server = Arc::new(server);
            for nth in 0..workers {
                let (server, service) = (Arc::clone(&server), Arc::clone(service));
                let stopping = Arc::clone(&engine.stopping);
                let thread = thread::Builder::new()
                    .name(format!("tiny-http-{nth}"))
                    .spawn(move || run(&server, &service, &stopping))
                    .map_err(|error| format!("cannot start a thread: {error}"))?;
                engine.workers.push(thread);
            }
            engine.servers.push(server);
        }
        Ok(engine)
    }

    /// Lets each thread finish the request it has until `deadline_millis` of the clock, and
    /// returns. A thread that still writes to a client which takes nothing is left behind:
    /// `tiny_http` gives no way to end its write.
    pub fn stop(self, clock: &Clock, deadline_millis: u64) {
        self.stopping.store(true, Ordering::Relaxed);
        for server in &self.servers {
            // One call wakes one thread.
            self.workers.iter().for_each(|_| server.unblock());
        }
        let ended = || self.workers.iter().all(JoinHandle::is_finished);
        while !ended() && clock.millis() < deadline_millis {
            clock.wait(deadline_millis.min(clock.millis() + TINY_STOP_LOOK_MILLIS), ended);
        }
        drop(self.files);
    }
}

fn run(server: &Server, service: &Service, stopping: &AtomicBool) {
    let (mut work, mut out) = (Work::new(), Vec::new());
    while !stopping.load(Ordering::Relaxed) {
        match server.recv() {
            Ok(request) => {
                // A bug costs the request that meets it: tiny_http answers 500 for what is dropped.
                let answering = || answer(request, service, &mut work, &mut out);
                if panic::catch_unwind(AssertUnwindSafe(answering)).is_err() {
                    service.stats.panics.add();
                    work = Work::new();
                }
            }
            // `unblock` was called.
            Err(_) if stopping.load(Ordering::Relaxed) => return,
            Err(error) => log::error(format_args!("tiny_http: {error}")),
        }
    }
}

fn answer(mut request: Request, service: &Service, work: &mut Work, out: &mut Vec<u8>) {
    out.clear();
    let remote = request.remote_addr().map(|remote| canonical(remote.ip()));
    let parts = Parts::of(&request);
    let caller = caller(remote, service.clock.seconds());
    match parts.head().map(|head| (service.answer(&head, caller, work), head)) {
        Ok((Outcome::Answered(answer), head)) => {
            // tiny_http keeps the connection as the client asked.
            let connection = head.connection(!head.keep_alive);
            encode_head(out, answer.status, answer.content_type, work.body.len(), connection);
            if head.method != Method::Head {
                out.extend_from_slice(&work.body);
            }
        }
        Ok((Outcome::Operator, head)) => match read_body(&mut request, head.body) {
            Ok(body) => {
                let mut writer = request.into_writer();
                let mut reply = ReplyStream::new(&mut writer, &head);
                // The client has gone: nobody is left to be told.
                let _ = service.serve_operator(&head, &body, &mut reply);
                return;
            }
            Err(problem) => encode_operator_problem(out, &problem),
        },
        Err(problem) => {
            // Counted; tiny_http has no way to close a connection without an answer.
            let _ = service.explains_errors_to(caller);
            encode_problem(out, &problem);
        }
    }
    let mut writer = request.into_writer();
    let _ = writer.write_all(out).and_then(|()| writer.flush());
}

/// Whose request it is. `tiny_http` does not tell which address it came to, so that the host's own
/// are those from loopback and no others.
fn caller(remote: Option<IpAddr>, now: Seconds) -> Caller<'static> {
    Caller { remote, local: &|| None, now }
}

fn read_body(request: &mut Request, framing: Body) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    let max = HTTP_BODY_BYTES_MAX as u64;
    let read = request.as_reader().take(max + 1).read_to_end(&mut body);
    let problem = |status, text| Err(Problem { status, text });
    if body.len() > HTTP_BODY_BYTES_MAX {
        return problem(Status::ContentTooLarge, format!("body: at most {max} bytes are taken"));
    }
    let length = body.len();
    match (read, framing) {
        (Err(error), _) => problem(Status::BadRequest, format!("body: {error}")),
        (_, Body::Length(announced)) if announced != length as u64 => {
            let text = format!("body: {length} bytes, {announced} were announced");
            problem(Status::BadRequest, text)
        }
        _ => Ok(body),
    }
}

/// A request as `tiny_http` has taken it apart, in pieces of our own: its body is read and its
/// connection written to while the head is still needed.
struct Parts {
    method: String,
    target: String,
    version: (u8, u8),
    headers: Vec<(String, String)>,
}

impl Parts {
    fn of(request: &Request) -> Parts {
        let HTTPVersion(major, minor) = *request.http_version();
        let headers = request.headers().iter();
        Parts {
            method: request.method().as_str().to_owned(),
            target: request.url().to_owned(),
            version: (major, minor),
            headers: headers.map(|line| (line.field.to_string(), line.value.to_string())).collect(),
        }
    }

    fn head(&self) -> Result<Head<'_>, Problem> {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
        Head::from_parts(self.method.as_bytes(), self.target.as_bytes(), self.version, headers)
    }
}

#[cfg(test)]
mod tests {
    use super::super::access::{self, Access, Denied};
    use super::*;

    #[test]
    fn whoever_comes_from_elsewhere_is_no_operator() {
        let headers = [("host", &b"192.0.2.7"[..])];
        let head = Head::from_parts(b"POST", b"/shutdown", (1, 1), headers).expect("a good head");
        for (remote, wanted) in [
            (Some("127.0.0.1"), Ok(())),
            (Some("::1"), Ok(())),
            (Some("192.0.2.8"), Err(Denied::Stranger)),
            (Some("2001:db8::8"), Err(Denied::Stranger)),
            (None, Err(Denied::Stranger)),
        ] {
            let caller = caller(remote.map(|ip| ip.parse().expect("an address")), Seconds(0));
            let checked = access::check(&Access::default(), &head, caller.remote, (caller.local)());
            assert_eq!(checked, wanted, "{remote:?}");
        }
    }
}
