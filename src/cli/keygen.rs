//! `miyu keygen`: an SM2 key pair.

use std::path::PathBuf;

use serde_json::json;
use zeroize::Zeroizing;

use super::print::Printer;
use super::{Failure, Global, Outcome, node};
use crate::identity::file::save_new;
use crate::identity::pem::{encode_gmssl, encode_plain};
use crate::identity::{Identity, fingerprint, key_line, system_rng};

/// Flags of `miyu keygen`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Where to write the private key (PKCS#8 PEM, mode 0600); an existing file is never overwritten
    #[arg(long, value_name = "FILE", default_value = "keys/identity.pem")]
    out: PathBuf,
    /// Lock the key with a passphrase that is asked for (or taken from --passphrase-file)
    #[arg(long)]
    passphrase: bool,
}

pub(super) fn run(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    let passphrase = passphrase(options, global)?;
    let key = Identity::generate();
    let pem = match &passphrase {
        Some(passphrase) => encode_gmssl(key.secret(), passphrase, &mut system_rng()),
        None => encode_plain(key.secret()),
    };
    save_new(&options.out, &pem)?;
    let (public, print) = facts(key.public());
    let path = options.out.display().to_string();
    let value = json!({
        "event": "key", "public": public, "fingerprint": print, "path": path, "safety_number": null,
    });
    printer.result(&value, || {
        let locked = if passphrase.is_some() { "locked with your passphrase, " } else { "" };
        format!(
            "wrote {path} ({locked}readable by you only)\n\
             public key   {public}\n\
             fingerprint  {print}\n\n\
             The other side puts this into its peers.toml:\n\n\
             [[peer]]\n\
             name = \"…\"\n\
             key  = \"{public}\""
        )
    });
    Ok(())
}

fn passphrase(options: &Options, global: &Global) -> Outcome<Option<Zeroizing<Vec<u8>>>> {
    if let Some(file) = &global.passphrase_file {
        let passphrase = node::read_passphrase(file).map_err(|error| Failure::new(error.to_string()))?;
        return Ok(Some(passphrase));
    }
    if !options.passphrase {
        return Ok(None);
    }
    super::passphrase::new("leave --passphrase out for a key without one").map(Some)
}

/// What a key is known by: its line and its fingerprint.
pub(super) fn facts(public: &crate::crypto::sm2::PublicKey) -> (String, String) {
    (key_line(public), fingerprint(public))
}
