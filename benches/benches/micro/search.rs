//! SEARCH as a session answers it, without sockets: grammar, evaluation, printing.

use benches::in_process::{self, MESSAGE_SIZE, Server};
use benches::messages;
use divan::Bencher;
use divan::counter::ItemsCount;

/// Messages searched.
const COUNT: usize = 2_000;

/// Messages of one APPEND.
const BATCH: usize = 50;

/// Two searches of a kind, alternately: nothing may be remembered from a command to the same one after it.
const SEARCHES: &[(&str, [&str; 2])] = &[
    ("from", ["SEARCH FROM p013", "SEARCH FROM p014"]),
    ("subject", ["SEARCH SUBJECT lantern", "SEARCH SUBJECT copper"]),
    ("flag", ["SEARCH UNSEEN UNFLAGGED", "SEARCH UNDELETED UNANSWERED"]),
    ("date", ["SEARCH SENTSINCE 5-Feb-2024", "SEARCH SENTBEFORE 20-Feb-2024"]),
    ("size", ["SEARCH LARGER 1000", "SEARCH SMALLER 90000"]),
    ("header", ["SEARCH HEADER Message-ID <17.", "SEARCH HEADER Message-ID <18."]),
];

/// Over 2,000 messages.
#[divan::bench(args = SEARCHES.iter().map(|(name, _)| *name))]
fn search(bencher: Bencher<'_, '_>, name: &str) {
    let (_, commands) = SEARCHES.iter().find(|(of, _)| *of == name).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let directory = in_process::directory().unwrap();
    let mut client = runtime.block_on(async {
        let server = Server::new(directory.path()).unwrap();
        let mut client = server.login().await.unwrap();
        let mut messages = messages(MESSAGE_SIZE);
        for _ in 0..COUNT / BATCH {
            client.append("INBOX", messages.by_ref().take(BATCH)).await.unwrap();
        }
        client.command("SELECT INBOX").await.unwrap();
        client
    });
    let mut round = 0;
    bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
        round += 1;
        let answer = runtime.block_on(client.command(commands[round % 2])).unwrap();
        assert!(answer.starts_with(b"* SEARCH "), "nothing was found");
    });
}
