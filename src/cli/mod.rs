//! The command line: one file a subcommand. Results go to stdout (one JSON object a line with `--json`), logs and
//! progress to stderr. Exit status 0 done, 1 failed, 2 wrong usage.

mod camera;
mod clip;
mod decrypt;
mod demo;
mod devices;
mod encrypt;
mod failure;
mod files;
#[cfg(feature = "gui")]
mod gui;
mod history;
mod id;
mod key;
mod keygen;
mod node;
mod passphrase;
mod ping;
mod print;
mod run;
mod send;
mod service;
mod sign;
#[cfg(feature = "audio")]
mod sound;
#[cfg(not(feature = "audio"))]
#[path = "no_sound.rs"]
mod sound;
mod speed;
mod stego;
mod verify;
mod watch;
mod who;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

pub use failure::{Failure, Outcome};
use print::Printer;

/// Serverless, LAN-first, peer-to-peer encrypted messenger and camera share on SM2, SM3 and SM4.
#[derive(Debug, Parser)]
#[command(name = "miyu", version, about, propagate_version = true, arg_required_else_help = cfg!(not(feature = "gui")))]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    /// Without one, the desktop app.
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
struct Global {
    /// The peer table [default: ./peers.toml, else the one in the platform's config folder]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// History, attachments and outbox, instead of the table's `data`
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print results as one JSON object a line
    #[arg(long, global = true)]
    json: bool,
    /// Log more (-v what happens, -vv details, -vvv packets)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Log nothing but errors, show no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Where the passphrase of a locked key stands (first line)
    #[arg(long, global = true, value_name = "FILE", env = "MIYU_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    /// Whether that was said on the command line, not by the environment
    #[arg(skip)]
    passphrase_file_given: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The desktop app [default]
    Gui,
    /// Make an SM2 key pair
    Keygen(keygen::Options),
    /// Show public key and fingerprint; of two keys, the safety number
    Id(id::Options),
    /// Measure the round trip to a peer, or say what is wrong
    Ping(ping::Options),
    /// A headless peer: receive, store, print what happens
    Run(run::RunOptions),
    /// A headless peer that publishes a camera
    Camera(camera::Options),
    /// Send a text, a picture, a clip or a file, and wait for the receipt
    Send(send::Options),
    /// Receive a peer's camera
    Watch(watch::Options),
    /// Record a voice clip into a WAV file, or play one
    #[command(subcommand)]
    Clip(clip::Command),
    /// List microphones, speakers and cameras
    Devices(devices::Options),
    /// Print stored messages
    History(history::Options),
    /// Encrypt a file to public keys or under a passphrase
    Encrypt(encrypt::Options),
    /// Decrypt a file
    Decrypt(decrypt::Options),
    /// Sign a file
    Sign(sign::Options),
    /// Check the signature of a file
    Verify(verify::Options),
    /// Change the passphrase or the form of a key
    #[command(subcommand)]
    Key(key::Command),
    /// Hide a text in a picture or find it, without the network
    #[command(subcommand)]
    Stego(stego::Command),
    /// Measure the ciphers on this machine
    Speed(speed::Options),
    /// See it all work: two peers and a camera on this machine
    Demo(demo::Options),
}

/// Runs one command line to its end.
pub fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    cli.global.passphrase_file_given = matches.value_source("passphrase_file") == Some(ValueSource::CommandLine);
    log(&cli);
    let printer = Printer::new(cli.global.json, cli.global.quiet);
    match dispatch(&cli, &printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.failure(&failure);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: &Cli, printer: &Printer) -> Outcome {
    let global = &cli.global;
    match cli.command.as_ref().unwrap_or(&Command::Gui) {
        #[cfg(feature = "gui")]
        Command::Gui => gui::run(global),
        #[cfg(not(feature = "gui"))]
        Command::Gui => Err(Failure::new("the desktop app is not in this build")
            .hint("build it with the feature `gui`; `miyu run` and `miyu send` do the same without a window")),
        Command::Keygen(options) => keygen::run(options, global, printer),
        Command::Id(options) => id::run(options, global, printer),
        Command::Encrypt(options) => encrypt::run(options, global, printer),
        Command::Decrypt(options) => decrypt::run(options, global, printer),
        Command::Sign(options) => sign::run(options, global, printer),
        Command::Verify(options) => verify::run(options, global, printer),
        Command::Key(command) => key::run(command, global, printer),
        Command::Stego(command) => stego::run(command, global, printer),
        Command::Clip(command) => clip::run(command, global, printer),
        Command::Devices(options) => devices::run(options, printer),
        Command::History(options) => history::run(options, global, printer),
        Command::Speed(options) => speed::run(options, printer),
        Command::Ping(options) => block_on(ping::run(options, global, printer)),
        Command::Run(options) => block_on(run::run(options, global, printer)),
        Command::Camera(options) => block_on(camera::run(options, global, printer)),
        Command::Send(options) => block_on(send::run(options, global, printer)),
        Command::Watch(options) => block_on(watch::run(options, global, printer)),
        Command::Demo(options) => block_on(demo::run(options, printer)),
    }
}

/// Ends the process as clap does: for usage that is wrong in a way that clap cannot be told of.
fn usage(message: &str) -> ! {
    Cli::command().error(clap::error::ErrorKind::MissingRequiredArgument, message).exit()
}

fn block_on<T>(task: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    let outcome = runtime.block_on(task);
    // A blocking task (a decoder, a sync) must not hold up the end of a command that is done.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

/// Logs go to stderr. `MIYU_LOG` takes tracing's filter syntax and wins over the flags.
fn log(cli: &Cli) {
    let global = &cli.global;
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        // Its stranger is meant to be noticed, and the step says so.
        (_, 0) if matches!(cli.command, Some(Command::Demo(_))) => "error",
        // A display without XSETTINGS, or that does not know its size, is nobody's fault and nothing to mend.
        (_, 0) => "warn,winit=error",
        (_, 1) => "miyu=info,warn",
        (_, 2) => "miyu=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("MIYU_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let to_stderr = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Only a second call in one process could fail, and there is none.
    let _ = to_stderr.with_ansi(std::io::stderr().is_terminal()).with_target(global.verbose > 1).try_init();
}
