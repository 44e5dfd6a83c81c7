//! `miyu encrypt`: a file for public keys, a passphrase, or both.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::files::{self, Input, Target, interruptible};
use super::print::{Printer, size};
use super::who::{self, Who};
use super::{Failure, Global, Outcome, passphrase, usage};
use crate::crypto::sm2_encrypt::{self, EncryptError};
use crate::identity::system_rng;
use crate::seal::{self, ITERATIONS_DEFAULT, Recipient};

/// What a sealed file is called: its input's name and this.
pub(super) const SUFFIX: &str = ".miyu";
/// What a raw SM2 ciphertext is called: its input's name and this.
pub(super) const RAW_SUFFIX: &str = ".sm2";

/// Flags of `miyu encrypt`.
#[derive(Debug, Clone, clap::Args)]
#[command(override_usage = "miyu encrypt [--to WHO]... [--passphrase] [-o OUT] <FILE|->")]
#[command(after_help = "The output is FILE.miyu; for `-` (stdin), stdout. Its form is in docs/sealed-file.md.\n\
    It is encrypted and cannot be changed unseen, but it does not prove who wrote it: for that, `miyu sign`.\n\
    Raw SM4 without authentication is left to openssl: openssl enc -sm4-cbc -K HEX -iv HEX -in FILE -out OUT")]
pub(super) struct Options {
    /// What to encrypt; `-` is stdin
    file: PathBuf,
    /// Who can decrypt it: a peer of the table, an sm2:… line, or a PEM file with a public or private key; may be
    /// given more than once
    #[arg(long, value_name = "WHO")]
    to: Vec<String>,
    /// Also (or only) whoever knows a passphrase, which is asked for (or taken from --passphrase-file)
    #[arg(long)]
    passphrase: bool,
    /// Where to write; `-` is stdout
    #[arg(short, long, value_name = "OUT")]
    out: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
    /// Encrypt up to 4 KiB with SM2 alone, in the DER of GM/T 0009 that `openssl pkeyutl -decrypt` reads, to one key
    #[arg(long)]
    raw_sm2: bool,
}

pub(super) fn run(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    // MIYU_PASSPHRASE_FILE unlocks keys; it must not open another way into every file
    let in_file = global.passphrase_file.as_deref().filter(|_| options.passphrase || global.passphrase_file_given);
    let with_passphrase = options.passphrase || in_file.is_some();
    if options.to.is_empty() && !with_passphrase {
        usage("nobody could decrypt it: give --to PEER, --to sm2:…, --to KEY.pem, or --passphrase");
    }
    if options.raw_sm2 && (options.to.len() != 1 || with_passphrase) {
        usage("--raw-sm2 takes exactly one --to and no passphrase");
    }
    let suffix = if options.raw_sm2 { RAW_SUFFIX } else { SUFFIX };
    let name = |input: &Path| Ok(files::with_suffix(input, suffix));
    let target = Target::choose(options.out.as_deref(), &options.file, options.force, printer, name)?;
    target.refuse_terminal()?;
    let input = Input::open(&options.file)?;
    let whos = options.to.iter().map(|what| who::find(what, global)).collect::<Outcome<Vec<Who>>>()?;
    let names: Vec<String> = whos.iter().map(|who| who.name.clone()).collect();
    let path = target.path();
    let (read, written) = if options.raw_sm2 {
        raw(input, &whos, target)?
    } else {
        let mut recipients: Vec<_> = whos.into_iter().map(|who| Recipient::Key(who.key)).collect();
        if with_passphrase {
            let passphrase = match in_file {
                Some(file) => passphrase::from_file(file)?,
                None => passphrase::new("leave --passphrase out to encrypt to keys alone")?,
            };
            recipients.push(Recipient::Passphrase { passphrase, iterations: ITERATIONS_DEFAULT });
        }
        sealed(input, recipients, target, printer)?
    };
    if let Some(path) = path {
        let value = json!({
            "event": "encrypted", "path": path, "to": names, "passphrase": with_passphrase, "bytes": read,
            "sealed_bytes": written,
        });
        printer.result(&value, || {
            let under = with_passphrase.then(|| "whoever knows the passphrase".to_owned());
            let all: Vec<_> = names.iter().cloned().chain(under).collect();
            format!("wrote {path} ({}), for {}", size(written), all.join(", "))
        });
    }
    Ok(())
}

fn sealed(mut input: Input, recipients: Vec<Recipient>, target: Target, printer: &Printer) -> Outcome<(u64, u64)> {
    let bar = files::bar(&input, printer);
    interruptible(move |stop| {
        let mut output = target.create(false, stop)?;
        let mut watch = stop.watch(&bar);
        let sizes = seal::encrypt(&recipients, &mut input, &mut output, &mut system_rng(), &mut watch);
        bar.finish_and_clear();
        let sizes = sizes?;
        output.finish(stop)?;
        Ok(sizes)
    })
}

fn raw(input: Input, whos: &[Who], target: Target) -> Outcome<(u64, u64)> {
    let name = input.name.clone();
    let message = input.read_short(sm2_encrypt::MESSAGE_BYTES_MAX)?;
    let Some(who) = whos.first() else {
        return Err(Failure::new("no key to encrypt to").hint("give --to"));
    };
    let sealed = sm2_encrypt::encrypt(&who.key, &message, &mut system_rng()).map_err(|error| match error {
        EncryptError::Empty => Failure::new(format!("{name}: {error}")).hint("leave --raw-sm2 out"),
        // only so much was read, its length is not known
        EncryptError::TooLong { .. } => Failure::new(format!(
            "{name} is longer than {} bytes, which sm2 alone takes",
            sm2_encrypt::MESSAGE_BYTES_MAX
        ))
        .hint("leave --raw-sm2 out: files of any size take SM4 then"),
    })?;
    let sizes = (message.len() as u64, sealed.len() as u64);
    files::write_whole(target, false, sealed)?;
    Ok(sizes)
}
