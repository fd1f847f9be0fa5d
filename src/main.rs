//! The program: one binary whose first argument, or the name it was called by, says which command runs.

fn main() {}
