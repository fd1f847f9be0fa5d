//! Every deviation from the grammar that is accepted, and who sends it. Whatever is not listed here is refused.

/// Spaces at the end of a command: monitoring probes and people typing through `openssl s_client`. Harmless, because the
/// end of a command is known from framing.
pub(super) const TRAILING_SPACE: bool = true;

/// `"1-Jan-2026 ..."` for `" 1-Jan-2026 ..."` in APPEND: scripts that format the day with `%-d` or `j`, such as callers of
/// PHP's `imap_append`. The quotes leave no doubt about what is meant.
pub(super) const UNPADDED_DAY: bool = true;
