//! Micro-benchmarks of what every command passes through: parser, index, cache, SEARCH. Each works on a real mailbox in a
//! temporary directory, in memory where there is such a file system, or on the octets of a real command.
#![allow(clippy::unwrap_used, reason = "a benchmark reports trouble by panicking")]

mod cache;
mod index;
mod mailbox;
mod parser;
mod search;

fn main() {
    divan::main();
}
