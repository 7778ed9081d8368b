//! What one address, a full tracker and a bug may cost the others: budgets, rates, panics.
//!
//! Rates are tested by count, with buckets that fill by one a minute; that they fill is a unit test
//! of `rate_limit`. Loopback addresses have no bounds by default, so the tests that need some name
//! another network that has none.

mod fail2ban;
mod memory;
mod panics;
mod rates;

use serde_json::Value;

use crate::harness::Server;

/// What everybody sees of the counters.
fn totals(server: &Server) -> Value {
    let mut connection = server.connect();
    connection.send("GET /stats?totals=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    serde_json::from_slice(&connection.reply().body).expect("JSON")
}

/// A counter in [`totals`].
pub fn count(server: &Server, name: &str) -> u64 {
    totals(server).get(name).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {name}"))
}
