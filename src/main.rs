//! The `miyu` program.

fn main() {}
