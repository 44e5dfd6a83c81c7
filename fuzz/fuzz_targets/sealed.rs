#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| miyu_fuzz::sealed::run(data));
