//! Hostile inputs, one row each, against one running server.
//!
//! [`TABLE`] names all of them. Each is sent while another user's commands are timed, and must be answered as its row says;
//! afterwards the server must live, be done within the row's time, have taken no more memory than the row's, have served the
//! other user all the while, and have kept nothing: no descriptor, no file, no half message, no error in its log
//! (`arena.rs`). `cargo test --test inputs -- literal` sends those with `literal` in their names.
//!
//! What needs a server of its own (crowds, damaged files, full disks, mail that breaks parsers) is in `tests/hostile/`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test reports trouble by panicking"
)]

mod app_passwords;
mod arena;
mod certificates;
mod gone;
mod guesses;
mod http;
mod lines;
mod literals;
mod lmtp;
mod log;
mod names;
mod nesting;
mod pop3;
mod proxy;
mod row;
mod sasl;
mod sets;
mod starttls;
mod tls;
mod tokens;
mod unread;
mod witness;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Trial};

use arena::Arena;
use row::Row;

/// Every input.
static TABLE: &[&[Row]] = &[
    literals::ROWS,
    lines::ROWS,
    nesting::ROWS,
    sets::ROWS,
    names::ROWS,
    starttls::ROWS,
    tls::ROWS,
    sasl::ROWS,
    guesses::ROWS,
    app_passwords::ROWS,
    tokens::ROWS,
    certificates::ROWS,
    gone::ROWS,
    unread::ROWS,
    proxy::ROWS,
    log::ROWS,
    http::ROWS,
    pop3::ROWS,
    lmtp::ROWS,
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They share a server whose memory is looked at.
    arguments.test_threads = Some(1);
    let shared: Arc<Mutex<Option<Arena>>> = Arc::default();
    let trials = TABLE
        .iter()
        .flat_map(|rows| rows.iter())
        .map(|row| {
            let shared = Arc::clone(&shared);
            Trial::test(row.name, move || {
                let mut arena = shared.lock().unwrap_or_else(PoisonError::into_inner);
                // A row that failed may have left the server in any state: the next one gets another.
                let mut used = arena.take().unwrap_or_else(Arena::begin);
                used.send(row);
                *arena = Some(used);
                Ok(())
            })
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    let left = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
    let ended = catch_unwind(AssertUnwindSafe(|| left.into_iter().for_each(Arena::end)));
    if conclusion.has_failed() || ended.is_err() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
