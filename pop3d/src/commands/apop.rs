//! APOP (RFC 1939, 7): `APOP joe c4c9334bac560ecc979e58001b3e22fb`. Never possible here: the digest is of the password itself,
//! and the directory keeps none that could be read. The greeting has no timestamp, which is how a client is told.

use crate::outcome::{Outcome, Refused};
use crate::syntax::Line;

pub(crate) fn run(_line: &Line<'_>) -> Outcome {
    Err(Refused::No(None, "APOP is not offered, use AUTH or USER".into()))
}
