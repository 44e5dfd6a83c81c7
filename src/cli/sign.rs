//! `miyu sign`: a detached SM2 signature over a file.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::files::{self, Input, Target, interruptible};
use super::keygen::facts;
use super::print::Printer;
use super::{Global, Outcome, who};
use crate::seal;

/// What a signature is called: its file's name and this.
pub(super) const SUFFIX: &str = ".sig";

/// Flags of `miyu sign`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "The signature is DER (GM/T 0009) in FILE.sig; for `-` (stdin), on stdout. Openssl checks it with\n\
    openssl pkeyutl -verify -pubin -inkey PUBLIC.pem -rawin -digest sm3 -pkeyopt distid:1234567812345678 \\\n    \
    -in FILE -sigfile FILE.sig"
)]
pub(super) struct Options {
    /// What to sign; `-` is stdin
    file: PathBuf,
    /// Your private key [default: the key of the table]
    #[arg(long, value_name = "KEY.pem")]
    key: Option<PathBuf>,
    /// The signer's ID, which the verifier must use too
    #[arg(long, value_name = "ID", default_value = "1234567812345678")]
    id: String,
    /// Where to write the signature; `-` is stdout
    #[arg(short, long, value_name = "OUT")]
    out: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

pub(super) fn run(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    let name = |input: &Path| Ok(files::with_suffix(input, SUFFIX));
    let target = Target::choose(options.out.as_deref(), &options.file, options.force, printer, name)?;
    target.refuse_terminal()?;
    let mut input = Input::open(&options.file)?;
    let identity = who::own(options.key.as_deref(), global)?;
    let (path, from) = (target.path(), input.name.clone());
    let (bar, id) = (files::bar(&input, printer), options.id.clone().into_bytes());
    let signer = identity.clone();
    let signature = interruptible(move |stop| {
        let signature = seal::sign(signer.secret(), &id, &mut input, &mut stop.watch(&bar));
        bar.finish_and_clear();
        Ok(signature?)
    })?;
    files::write_whole(target, false, signature)?;
    if let Some(path) = path {
        let (public, print) = facts(identity.public());
        let value = json!({
            "event": "signed", "path": from, "signature": path, "public": public, "fingerprint": print, "id": options.id,
        });
        printer.result(&value, || format!("wrote {path}: {from} signed by {public}"));
    }
    Ok(())
}
