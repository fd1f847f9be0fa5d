//! From octets to a request: framing and grammar.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use imapd::syntax::{LiteralRole, literal_role, parse};
use imapd::types::Encoding;
use tokio::io::AsyncWriteExt;
use wire::Connection;
use wire::framing::CommandLimits;

/// Commands as clients send them.
const COMMANDS: &[(&str, &str)] = &[
    ("noop", "a1 NOOP"),
    ("fetch-flags", "a1 UID FETCH 1:* (FLAGS)"),
    ("fetch-list", "a1 UID FETCH 1:500 (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"),
    (
        "fetch-headers",
        "a1 UID FETCH 1:200,300:305 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date \
         Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])",
    ),
    ("store", "a1 UID STORE 17 +FLAGS.SILENT (\\Answered $Forwarded)"),
    (
        "search",
        "a1 UID SEARCH RETURN (MIN MAX COUNT) OR FROM \"smith\" NOT (SUBJECT \"report\" SINCE 1-Feb-2024) UNSEEN",
    ),
    (
        "list",
        "a1 LIST (SUBSCRIBED) \"\" (\"INBOX\" \"Arch&AOk-/%\") RETURN (CHILDREN SPECIAL-USE STATUS (MESSAGES UNSEEN))",
    ),
];

/// A command that stands in one line.
#[divan::bench(args = COMMANDS.iter().map(|(name, _)| *name))]
fn command(bencher: Bencher<'_, '_>, name: &str) {
    let (_, text) = COMMANDS.iter().find(|(of, _)| *of == name).unwrap();
    bencher
        .counter(BytesCount::new(text.len()))
        .bench(|| parse(black_box(text.as_bytes()), Encoding::ModifiedUtf7).unwrap());
}

/// A long set of single UIDs, as some clients send for what they have selected.
#[divan::bench(args = [10, 1_000])]
fn uid_set(bencher: Bencher<'_, '_>, uids: usize) {
    let set: Vec<String> = (1..=uids).map(|n| (n * 3).to_string()).collect();
    let text = format!("a1 UID FETCH {} (FLAGS)", set.join(","));
    bencher
        .counter(BytesCount::new(text.len()))
        .bench(|| parse(black_box(text.as_bytes()), Encoding::ModifiedUtf7).unwrap());
}

/// What is known of an APPEND when its message begins.
#[divan::bench]
fn append_prefix(bencher: Bencher<'_, '_>) {
    let text = b"a1 APPEND Sent (\\Seen $Forwarded) \"17-Jul-2024 02:44:25 +0200\" ";
    bencher.counter(BytesCount::of_slice(text)).bench(|| {
        let role = literal_role(black_box(text), Encoding::ModifiedUtf7);
        assert_eq!(role, LiteralRole::Message);
    });
}

/// The octets of an APPEND taken apart: line, message in pieces, line.
#[divan::bench(args = [2_000, 70_000])]
fn append_framing(bencher: Bencher<'_, '_>, size: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let octets = [format!("a1 APPEND Sent {{{size}+}}\r\n").into_bytes(), vec![b'x'; size], b"\r\n".to_vec()].concat();
    let (mut ours, mut theirs) = runtime.block_on(async { Connection::memory(octets.len()) });
    ours.logged_in(CommandLimits::POST_AUTH);
    bencher.counter(BytesCount::new(octets.len())).bench_local(|| {
        runtime.block_on(async {
            theirs.write_all(&octets).await.unwrap();
            ours.read_fragment().await.unwrap();
            let mut left = size;
            while let Some(piece) = ours.read_literal_piece().await.unwrap() {
                left -= piece.len();
            }
            assert_eq!(left, 0);
            ours.read_fragment().await.unwrap();
        });
    });
}
