//! The program `muster`: arguments in, exit code out.

fn main() {}
