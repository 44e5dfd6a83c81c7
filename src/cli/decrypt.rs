//! `miyu decrypt`: what `miyu encrypt` made, with the key that fits or the passphrase.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::encrypt::{RAW_SUFFIX, SUFFIX};
use super::files::{self, Input, Target, interruptible};
use super::print::{Printer, size};
use super::{Failure, Global, Outcome, passphrase, who};
use crate::crypto::sm2_encrypt::{self, CIPHERTEXT_BYTES_MAX};
use crate::seal::{Header, Opener};

/// Flags of `miyu decrypt`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "The output is FILE without .miyu, readable by you alone; for `-` (stdin), stdout.\n\
    A file appears under its name only when all of it was authenticated. A pipe gets each chunk of 64 KiB when that \
    chunk was: what came through before a fault is the true beginning, and the exit status is 1.")]
pub(super) struct Options {
    /// What to decrypt; `-` is stdin
    file: PathBuf,
    /// Where to write; `-` is stdout
    #[arg(short, long, value_name = "OUT")]
    out: Option<PathBuf>,
    /// Your private key [default: the key of the table]
    #[arg(long, value_name = "KEY.pem", conflicts_with = "passphrase")]
    key: Option<PathBuf>,
    /// Use the passphrase of the file, which is asked for (or taken from --passphrase-file), not a key
    #[arg(long)]
    passphrase: bool,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
    /// Decrypt what `openssl pkeyutl -encrypt` or `miyu encrypt --raw-sm2` wrote: SM2 alone, in the DER of GM/T 0009
    #[arg(long, conflicts_with = "passphrase")]
    raw_sm2: bool,
}

/// With what a file was unlocked, as `--json` tells it.
type With = &'static str;
const KEY: With = "key";
const PASSPHRASE: With = "passphrase";

pub(super) fn run(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    let suffix = if options.raw_sm2 { RAW_SUFFIX } else { SUFFIX };
    let name = |input: &Path| {
        files::without_suffix(input, suffix).ok_or_else(|| {
            Failure::new(format!("{} does not end in {suffix}: what shall the output be called?", input.display()))
                .hint("give -o OUT, or -o - for stdout")
        })
    };
    let target = Target::choose(options.out.as_deref(), &options.file, options.force, printer, name)?;
    let mut input = Input::open(&options.file)?;
    let (path, from) = (target.path(), input.name.clone());
    let (written, with) = if options.raw_sm2 {
        (raw(options, input, target, global)?, KEY)
    } else {
        let header = Header::read(&mut input)?;
        let (opener, with) = unlock(&header, options, &from, global)?;
        (opened(opener, input, target, printer)?, with)
    };
    if let Some(path) = path {
        let value = json!({ "event": "decrypted", "path": path, "with": with, "bytes": written });
        printer.result(&value, || format!("wrote {path} ({}), unlocked with the {with}", size(written)));
    }
    Ok(())
}

/// The way in: the one that was asked for, else a passphrase file that was given, our own key, and what somebody at
/// the terminal types.
fn unlock(header: &Header, options: &Options, from: &str, global: &Global) -> Outcome<(Opener, With)> {
    let file = global.passphrase_file.as_deref();
    if options.passphrase {
        if !header.has_passphrase() {
            return Err(Failure::new(format!("{from} has no passphrase: it was encrypted to keys"))
                .hint("leave --passphrase out, or give --key FILE"));
        }
        return with_passphrase(header, file, from);
    }
    let given = file.filter(|_| global.passphrase_file_given && options.key.is_none() && header.has_passphrase());
    if let Some(file) = given {
        match header.unlock_with_passphrase(&passphrase::from_file(file)?)? {
            Some(opener) => return Ok((opener, PASSPHRASE)),
            // it may be the one of our key
            None if header.keys() == 0 => return Err(wrong_passphrase(from)),
            None => {}
        }
    }
    let by_key = if header.keys() == 0 {
        Err(Failure::new(format!("{from} was encrypted under a passphrase alone"))
            .hint("give it with --passphrase, or --passphrase-file FILE"))
    } else {
        with_key(header, options, global)
    };
    match by_key {
        Err(_) if options.key.is_none() && header.has_passphrase() && passphrase::can_ask() => {
            with_passphrase(header, None, from)
        }
        Err(failure) if options.key.is_none() && header.has_passphrase() && header.keys() > 0 => {
            let mend = "it opens with a passphrase too: give --passphrase, or --passphrase-file FILE";
            let hint = failure.hint.as_ref().map_or(mend.to_owned(), |hint| format!("{hint}\nhint: {mend}"));
            Err(failure.hint(hint))
        }
        other => other,
    }
}

fn with_key(header: &Header, options: &Options, global: &Global) -> Outcome<(Opener, With)> {
    let identity = who::own(options.key.as_deref(), global)?;
    match header.unlock_with_key(identity.secret())? {
        Some(opener) => Ok((opener, KEY)),
        None => Err(Failure::new(format!(
            "it was not encrypted to this key ({}), but to {}",
            crate::identity::key_line(identity.public()),
            match header.keys() {
                1 => "another".to_owned(),
                count => format!("{count} others"),
            }
        ))
        .hint("give the key that it was encrypted to with --key FILE, or ask the sender to encrypt it to yours")),
    }
}

fn with_passphrase(header: &Header, file: Option<&Path>, from: &str) -> Outcome<(Opener, With)> {
    let passphrase = passphrase::known(file, from)?;
    let opener = header.unlock_with_passphrase(&passphrase)?;
    opener.map(|opener| (opener, PASSPHRASE)).ok_or_else(|| wrong_passphrase(from))
}

fn wrong_passphrase(from: &str) -> Failure {
    Failure::new(format!("the passphrase does not open {from}"))
        .hint("type it again, or check the first line of its file")
}

fn opened(opener: Opener, mut input: Input, target: Target, printer: &Printer) -> Outcome<u64> {
    let bar = files::bar(&input, printer);
    interruptible(move |stop| {
        let mut output = target.create(true, stop)?;
        let written = opener.open(&mut input, &mut output, &mut stop.watch(&bar));
        bar.finish_and_clear();
        let written = written?;
        output.finish(stop)?;
        Ok(written)
    })
}

fn raw(options: &Options, input: Input, target: Target, global: &Global) -> Outcome<u64> {
    let sealed = input.read_short(CIPHERTEXT_BYTES_MAX)?;
    let identity = who::own(options.key.as_deref(), global)?;
    let message = sm2_encrypt::decrypt(identity.secret(), &sealed).map_err(|error| {
        let hint = match error {
            sm2_encrypt::DecryptError::Wrong => "give the key that it was encrypted to with --key FILE",
            _ => "--raw-sm2 is for GM/T 0009 alone; leave it out for what `miyu encrypt` wrote without it",
        };
        Failure::new(error.to_string()).hint(hint)
    })?;
    let written = message.len() as u64;
    files::write_whole(target, true, message.to_vec())?;
    Ok(written)
}
