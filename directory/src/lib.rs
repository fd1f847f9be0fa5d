//! Domains, users, aliases and passwords behind one trait, with an embedded store.
