//! Mailboxes and messages on disk: index, cache, seen state, quota, ACL, subscriptions; no protocol text.
