//! LMTP, and what happens to a message on its way in.
