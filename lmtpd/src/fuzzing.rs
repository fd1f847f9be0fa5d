//! What the fuzzers throw text at; only there when they are compiled (`--cfg fuzzing`, which cargo-fuzz sets).

use crate::commands::{States, find};
use crate::syntax::{
    MailParameters, RcptParameters, SyntaxError, auth_arguments, bdat_arguments, client_name, forward_path,
    reverse_path,
};

/// A command line: no parser panics, and an address that was understood is understood the same way when it is printed and
/// parsed again.
pub fn command_line(line: &str) {
    for state in [States::CONNECTED, States::GREETED, States::SENDER, States::RECIPIENTS, States::CHUNKS] {
        let _ = find(line, state);
    }
    let _ = (client_name(line), bdat_arguments(line), auth_arguments(line));
    if let Ok((sender, rest)) = reverse_path(line) {
        let _ = MailParameters::parse(rest);
        if let Some(address) = sender {
            let printed = format!("FROM:<{address}>");
            match reverse_path(&printed) {
                Ok((again, _)) => assert_eq!(again, Some(address), "{printed}"),
                Err(error) => check(&error, &printed),
            }
        }
    }
    if let Ok((address, rest)) = forward_path(line) {
        let _ = RcptParameters::parse(rest);
        let printed = format!("TO:<{address}>");
        match forward_path(&printed) {
            Ok((again, _)) => assert_eq!(again, address, "{printed}"),
            Err(error) => check(&error, &printed),
        }
    }
}

/// Quotes may make an address too long, and nothing else.
fn check(error: &SyntaxError, printed: &str) {
    assert_eq!(*error, SyntaxError::TooLong, "{printed}");
}
