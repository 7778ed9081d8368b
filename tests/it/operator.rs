//! What the operator can do over HTTP, and that nobody else can: looking, registering, saving and
//! stopping, asked of the real program.
//!
//! As in `conformance`, each case runs with both engines, and where `tiny_http` cannot hold to one
//! the list says why. `page` says what is asked and reads what comes back, streams included. What
//! single functions decide (who is the operator, what a field may hold) has its tables of cases
//! beside them in `src/http`; here it is the way over the wire.

mod access;
mod busy;
mod control;
mod following;
pub mod page;
mod register;
mod similar;
mod stats;
mod streams;
mod time;

use crate::harness::Engine;

conformance! {
    access::whoever_asks_from_the_host_itself_is_the_operator;
    access::whoever_came_through_a_proxy_is_a_stranger_without_the_token;
    access::pages_of_other_sites_reach_nothing_even_with_the_token;
    access::the_host_answers_to_its_addresses_and_to_configured_names;
    access::the_token_may_stand_in_a_file;
    access::a_token_file_that_cannot_be_used_ends_the_start;
    access::without_a_token_configured_no_token_is_right;
    access::a_unix_socket_needs_the_token;
    access::refusals_of_strangers_are_counted;
    busy::slow_requests_fill_the_queue_and_no_announce_waits,
        but "tiny_http has no threads of its own for the operator"
        => slow_requests_take_the_workers_of_tiny_http;
    busy::a_refusal_for_want_of_a_thread_reaches_who_is_still_sending,
        but "tiny_http queues without a bound" => ;
    busy::an_operator_who_reads_nothing_holds_a_stop_for_five_seconds_at_most,
        but "tiny_http knows no deadlines: it waits for a client that reads nothing" => ;
    control::without_a_state_file_a_save_says_that_there_is_none;
    control::a_save_says_what_was_saved_where;
    control::a_save_that_fails_says_why;
    control::a_shutdown_is_answered_and_then_the_program_ends;
    control::a_shutdown_takes_a_post_and_no_body;
    control::what_each_route_takes_is_said_in_allow;
    control::a_scrape_of_everything_is_the_operators;
    following::a_download_can_be_followed_with_curl;
    register::what_the_original_script_posts_is_registered;
    register::every_hash_survives_the_original_scripts_spelling;
    register::a_spelling_of_the_original_script_that_can_mean_two_hashes_is_refused;
    register::a_hash_may_be_hex_base32_or_escaped;
    register::a_registration_is_exact_similar_or_new;
    register::a_registration_replaces_the_one_before;
    register::what_is_wrong_is_named_and_nothing_is_changed;
    register::a_body_cut_short_is_refused;
    register::a_body_too_large_is_refused,
        but "tiny_http offers no way to close a connection: it reads all that was announced"
        => a_body_too_large_is_refused_by_tiny_http_once_it_has_come;
    register::what_is_refused_is_refused_before_its_body_is_sent,
        but "tiny_http reads all that was announced before it answers" => ;
    register::a_chunked_body_is_read_however_it_is_cut;
    register::a_client_that_expects_to_be_told_is_told_to_go_on;
    similar::a_similar_hash_is_found_with_the_defaults;
    similar::the_first_and_last_digits_are_adjustable;
    similar::the_threshold_is_adjustable;
    similar::with_both_rules_left_out_nothing_is_similar;
    stats::an_empty_tracker_shows_an_empty_object;
    stats::a_torrent_shows_its_metadata_its_counts_and_its_peers;
    stats::a_page_holds_what_the_original_tracker_showed;
    stats::a_listing_can_be_narrowed;
    stats::what_is_wrong_with_a_listing_is_named;
    stats::a_hash_that_is_not_tracked_is_404_and_names_the_similar_one;
    stats::whatever_names_and_peer_ids_hold_the_page_is_json;
    streams::http_1_0_gets_a_body_that_ends_with_the_connection;
    streams::head_gets_the_head_alone;
    streams::a_request_that_arrives_in_pieces_or_behind_others_is_served;
    streams::a_hundred_thousand_peers_are_streamed_while_announces_are_answered;
    streams::who_does_not_read_is_cut_off_after_ten_seconds,
        but "tiny_http knows no deadlines: it waits for a client that reads nothing" => ;
    time::a_registered_torrent_outlives_its_peers;
    time::a_body_has_thirty_seconds_to_come,
        but "tiny_http knows no deadlines: it waits for a body for ever" => ;
}
