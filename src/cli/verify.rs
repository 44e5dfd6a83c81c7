//! `miyu verify`: whether a file is what somebody signed.

use std::path::PathBuf;

use serde_json::json;

use super::files::{self, Input, interruptible};
use super::keygen::facts;
use super::print::Printer;
use super::{Failure, Global, Outcome, sign, who};
use crate::seal::{self, SIGNATURE_FILE_BYTES_MAX, SealError};

/// Flags of `miyu verify`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Options {
    /// What was signed; `-` is stdin
    file: PathBuf,
    /// Who signed it: a peer of the table, an sm2:… line, or a PEM file with a public or private key
    #[arg(long, value_name = "WHO")]
    from: String,
    /// The signature [default: FILE.sig]
    #[arg(long, value_name = "SIG", required_if_eq("file", "-"))]
    signature: Option<PathBuf>,
    /// The signer's ID, as it was signed with
    #[arg(long, value_name = "ID", default_value = "1234567812345678")]
    id: String,
}

pub(super) fn run(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    let who = who::find(&options.from, global)?;
    let path = options.signature.clone().unwrap_or_else(|| files::with_suffix(&options.file, sign::SUFFIX));
    let mut input = Input::open(&options.file)?;
    let signature = Input::open(&path).map_err(|failure| match options.signature {
        Some(_) => failure,
        None => failure.hint("name the signature with --signature SIG"),
    })?;
    let signature = signature.read_short(SIGNATURE_FILE_BYTES_MAX)?;
    let (from, bar, id) = (input.name.clone(), files::bar(&input, printer), options.id.clone().into_bytes());
    let key = who.key.clone();
    interruptible(move |stop| {
        let result = seal::verify(&key, &id, &signature, &mut input, &mut stop.watch(&bar));
        bar.finish_and_clear();
        Ok(result?)
    })
    .map_err(|failure| match failure.error.downcast_ref::<SealError>() {
        Some(SealError::BadSignature) => Failure {
            error: anyhow::anyhow!("{from} is not what {} signed: {}", options.from, failure.error),
            ..failure
        },
        _ => failure,
    })?;
    let (public, print) = facts(&who.key);
    let name = who::known_as(&who.key, global).unwrap_or(who.name);
    let value = json!({
        "event": "verified", "path": from, "from": name, "public": public, "fingerprint": print, "id": options.id,
    });
    printer.result(&value, || {
        format!("good signature: {from} is what {name} signed\npublic key   {public}\nfingerprint  {print}")
    });
    Ok(())
}
