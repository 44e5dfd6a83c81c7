//! The `miyu` program: parse, log, dispatch, exit code. All of it is in [`miyu::cli`].

fn main() -> std::process::ExitCode {
    miyu::cli::main()
}
