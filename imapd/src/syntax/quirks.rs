//! Every deviation from the grammar that is accepted, and who sends it. Whatever is not listed here is refused.

/// Spaces at the end of a command: monitoring probes and people typing through `openssl s_client`. Harmless, because the
/// end of a command is known from framing.
pub(super) const TRAILING_SPACE: bool = true;

/// `\Recent` in the flag list of APPEND and STORE: copying tools hand over what FETCH told them of the source (imapsync and
/// offlineimap have options to filter it out because servers refuse it). Clients cannot set it (RFC 3501, 2.3.2), so it is
/// dropped.
pub(super) const RECENT_IN_FLAG_LIST: bool = true;

/// `"1-Jan-2026 ..."` for `" 1-Jan-2026 ..."` in APPEND: scripts that format the day with `%-d` or `j`, such as callers of
/// PHP's `imap_append`. The quotes leave no doubt about what is meant.
pub(super) const UNPADDED_DAY: bool = true;
