//! Clients that vanish, in good order or with a reset, and clients that stop reading.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::transcript::Protocol;
use harness::{Connection, PASSWORD, corpus};
use rustix::net::sockopt::set_socket_linger;

use crate::attack::{Attack, soon};

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Exit {
    /// Close: what was sent arrives.
    Fin,
    /// Reset: what was sent may be lost.
    Reset,
}

/// Plays the beginning of a session, as long as its every length from 0 to `end`, and looks for what it left behind.
fn vanish_everywhere(protocol: Protocol, session: &[u8], end: usize, exit: Exit) {
    let attack = Attack::begin();
    let before = attack.descriptors();
    for cut in 0..=end {
        let mut socket = TcpStream::connect(attack.server.address(protocol)).unwrap();
        socket.write_all(&session[..cut]).unwrap();
        if matches!(exit, Exit::Reset) {
            set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
        }
    }
    // The last sessions may still be ending. A descriptor lost in each would be hundreds; two or three mailboxes may stay
    // open for the next who asks.
    soon("the sessions' descriptors are closed", || attack.descriptors() <= before + 6);
    soon("what was written of their messages is removed", || attack.staged() == 0);
    let mut joe = attack.joe();
    assert_eq!(joe.must("SELECT INBOX").unwrap().number("EXISTS"), Some(3), "{exit:?}: no half message");
    assert_eq!(joe.must("SEARCH ALL").unwrap().untagged[0].to_string(), "* SEARCH 1 2 3");
    // No lock is left behind.
    joe.must("CREATE Free").unwrap();
    joe.must("RENAME Free Freed").unwrap();
    joe.must("DELETE Freed").unwrap();
    drop(joe);
    attack.survived();
}

/// An IMAP session up to the last byte of a literal, so that nothing complete has been sent.
fn appending() -> (Vec<u8>, usize) {
    let session = format!(
        "a LOGIN joe \"{PASSWORD}\"\r\nb SELECT INBOX\r\nc FETCH 1:* BODY.PEEK[]\r\n\
         d APPEND INBOX (\\Seen) {{20+}}\r\nSubject: half\r\n\r\nxyz\r\n"
    );
    let end = session.find("xyz").unwrap() + 2;
    (session.into_bytes(), end)
}

#[test]
fn a_client_that_vanishes_at_every_byte() {
    let (session, end) = appending();
    vanish_everywhere(Protocol::Imap, &session, end, Exit::Fin);
}

#[test]
fn a_client_that_resets_at_every_byte() {
    let (session, end) = appending();
    vanish_everywhere(Protocol::Imap, &session, end, Exit::Reset);
}

#[test]
fn a_delivery_that_is_cut_off_at_every_byte() {
    let session = b"LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<joe@example.org>\r\nDATA\r\n\
        Subject: half\r\n\r\none\r\n..two\r\n.\r\n";
    // Up to the final dot, without its line end.
    for exit in [Exit::Fin, Exit::Reset] {
        vanish_everywhere(Protocol::Lmtp, session, session.len() - 2, exit);
    }
    let chunks = b"LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<joe@example.org>\r\n\
        BDAT 15\r\nSubject: half\r\nBDAT 9 LAST\r\n\r\none\r\n..";
    vanish_everywhere(Protocol::Lmtp, chunks, chunks.len() - 1, Exit::Reset);
}

#[test]
fn a_client_that_stops_sending_and_goes_on_reading() {
    let attack = Attack::begin();
    let mut connection = attack.insider();
    connection.send(b"a FETCH 1:* BODY.PEEK[]\r\n").unwrap();
    connection.half_close().unwrap();
    let mut fetched = 0;
    while let Ok(Some(reply)) = connection.reply() {
        let is_message = reply.0.starts_with(b"* ") && reply.0.windows(7).any(|window| window == b" FETCH ");
        fetched += usize::from(is_message);
    }
    assert_eq!(fetched, 3);
    attack.survived();
}

/// A window of 0 in the middle of a large message: nobody else may have to wait for this client.
#[test]
fn clients_that_do_not_read_their_large_answer() {
    let attack = Attack::begin();
    let mut joe = attack.joe();
    let big = [b"Subject: big\r\n\r\n".to_vec(), b"0123456789abcdef\r\n".repeat(2_600_000)].concat();
    assert!(joe.append("INBOX", "", &big).unwrap().ok());
    let mut stuck: Vec<Connection> = (0..8).map(|_| attack.insider()).collect();
    for connection in &mut stuck {
        connection.send(b"a FETCH 4 BODY.PEEK[]\r\n").unwrap();
    }
    // No lock may be held meanwhile: others change the same mailbox.
    let begin = Instant::now();
    joe.must("SELECT INBOX").unwrap();
    joe.must("STORE 1:4 +FLAGS (\\Flagged)").unwrap();
    joe.must("STORE 1,4 +FLAGS.SILENT (\\Deleted)").unwrap();
    joe.must("EXPUNGE").unwrap();
    joe.must("CREATE Meanwhile").unwrap();
    let replies = attack.server.lmtp().deliver("a@example.org", &["joe@example.org"], &corpus::small(50)).unwrap();
    assert!(replies[0].starts_with("250"), "{replies:?}");
    assert!(begin.elapsed() < Duration::from_secs(5), "others had to wait {:?}", begin.elapsed());
    // The one who reads at last gets all of it, expunged meanwhile or not.
    let mut patient = stuck.pop().unwrap();
    let reply = patient.reply().unwrap().unwrap();
    let text = reply.0.iter().position(|&byte| byte == b'\n').expect("a literal") + 1;
    assert!(reply.0[text..].starts_with(&big), "the message came whole");
    drop((stuck, joe));
    attack.survived();
}

#[test]
fn a_client_that_never_reads_again() {
    let attack = Attack::begin_with(&["limits.output_stalled = \"2s\""]);
    let mut joe = attack.joe();
    let big = [b"Subject: big\r\n\r\n".to_vec(), b"0123456789abcdef\r\n".repeat(1_000_000)].concat();
    assert!(joe.append("INBOX", "", &big).unwrap().ok());
    let before = attack.descriptors();
    let mut stuck = attack.insider();
    stuck.send(b"a FETCH 4 BODY.PEEK[]\r\n").unwrap();
    soon("the session is given up", || attack.descriptors() <= before);
    assert!(stuck.reply().is_err(), "a message that was not sent whole must not look whole");
    drop(joe);
    attack.survived();
}
