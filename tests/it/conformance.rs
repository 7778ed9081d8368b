//! What HTTP and the tracker protocol ask of a server, asked of both engines by one list of cases.
//!
//! Each case runs against the real program, once with each engine. Where `tiny_http` cannot do what
//! a case asks for, the list says why and names the case that holds it to what it does instead.
//! What only the epoll engine promises (deadlines, bounds) is in `bounds`.

mod connections;
mod heads;
mod routes;
mod sources;

use crate::harness::Engine;

/// `module::case;` runs the case with both engines; `module::case, but "why" => other;` runs
/// `other` with `tiny_http` in place of it.
macro_rules! conformance {
    ($($module:ident::$case:ident $(, but $why:literal => $($other:ident)?)?;)*) => {
        mod epoll {
            $(#[test] fn $case() { super::$module::$case(super::Engine::Epoll); })*
        }
        mod tiny_http {
            $(conformance!(@tiny $module::$case $(, $why => $($other)?)?);)*
        }
    };
    (@tiny $module:ident::$case:ident) => {
        #[test] fn $case() { super::$module::$case(super::Engine::TinyHttp); }
    };
    (@tiny $module:ident::$case:ident, $why:literal =>) => {};
    (@tiny $module:ident::$case:ident, $why:literal => $other:ident) => {
        #[test] fn $other() {
            println!("in place of {}: {}", stringify!($case), $why);
            super::$module::$other();
        }
    };
}

conformance! {
    connections::an_announce_and_a_scrape_are_answered_on_fresh_connections;
    connections::one_connection_carries_several_requests;
    connections::ten_pipelined_requests_are_answered_in_order;
    connections::pipelined_announces_are_taken_in_order,
        but "its threads take requests of one connection at once, and only answer them in order"
        => pipelined_announces_are_all_taken_by_tiny_http;
    connections::a_request_cut_at_any_byte_is_answered;
    connections::a_request_cut_at_any_byte_by_a_pause_is_answered;
    connections::requests_arriving_a_byte_at_a_time_are_answered;
    connections::a_close_is_announced_exactly_when_it_happens;
    connections::http_1_0_closes_unless_asked_to_keep_alive;
    connections::a_client_that_stops_sending_still_gets_its_reply;
    connections::many_requests_with_large_replies_are_all_answered_in_order;
    connections::stopped_counts_even_if_the_client_closes_at_once;
    connections::head_gets_the_headers_of_get_and_no_body;
    connections::replies_are_never_chunked_or_compressed_whatever_the_client_takes;
    connections::an_empty_line_before_a_request_is_skipped,
        but "tiny_http takes it for a request line (RFC 9112 section 2.2 asks to skip it)"
        => an_empty_line_before_a_request_is_refused_by_tiny_http;
    heads::an_absolute_form_target_is_understood;
    heads::raw_bytes_in_a_target_are_read,
        but "tiny_http closes a connection whose head is not ASCII without a reply"
        => raw_bytes_in_a_target_end_a_connection_of_tiny_http;
    heads::a_malformed_head_is_refused_with_400,
        but "its own refusals do not say that it closes"
        => a_malformed_head_is_refused_by_tiny_http_with_an_unannounced_close;
    heads::stray_bytes_in_a_head_are_refused_with_400,
        but "tiny_http hands control characters and nameless headers on"
        => stray_bytes_in_a_head_pass_tiny_http;
    heads::a_request_without_one_host_is_refused_with_400,
        but "tiny_http offers no way to close a connection: that is left to the client"
        => a_request_without_one_host_is_refused_with_400_by_tiny_http;
    heads::a_body_framed_two_ways_is_refused_with_400,
        but "tiny_http offers no way to close a connection: that is left to the client"
        => a_body_framed_two_ways_is_refused_with_400_by_tiny_http;
    heads::a_request_line_too_long_is_refused_with_414,
        but "tiny_http has no bound on heads"
        => heads_of_any_size_are_read_by_tiny_http;
    heads::a_head_too_large_is_refused_with_431,
        but "tiny_http has no bound on heads" => ;
    heads::another_version_of_http_is_refused_with_505,
        but "tiny_http waits for itself (`sink.next()` while the request holds its writer)"
        => another_version_of_http_is_never_answered_by_tiny_http;
    routes::unknown_paths_are_404_and_keep_the_connection;
    routes::other_methods_are_405_and_say_which_are_allowed;
    routes::every_form_of_the_announce_and_scrape_paths_is_served;
    routes::the_root_explains_itself_to_people_and_announces_for_clients;
    routes::health_is_200;
    routes::refusals_are_bencoded_and_http_200;
    routes::a_hash_may_be_forty_hex_digits;
    routes::people_get_json;
    routes::a_scrape_answers_for_every_hash_asked_for;
    routes::two_hundred_peers_come_in_one_reply;
    sources::one_listener_serves_ipv4_and_ipv6;
    sources::one_key_over_both_families_is_one_peer_with_two_endpoints;
    sources::a_unix_socket_trusts_the_forwarded_address;
    sources::a_forwarded_address_that_is_none_is_refused;
    sources::forwarded_addresses_count_from_trusted_proxies_only;
    sources::the_rightmost_address_that_is_no_proxy_counts;
}
