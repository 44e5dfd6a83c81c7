//! Tells the modules that need a clock which a test can turn that they are built for the fuzzer, under a plain
//! `cargo check` too: `./x check` compiles what cargo-fuzz would build.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cfg=fuzzing");
}
