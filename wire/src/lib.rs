//! What any mail daemon needs of a socket: listeners, TLS, SASL, framing, limits.

pub mod framing;
pub mod limits;
