//! `miyu key`: the passphrase and the form of key files.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use zeroize::Zeroizing;

use super::keygen::facts;
use super::print::Printer;
use super::{Failure, Global, Outcome, node, passphrase, who};
use crate::crypto::sm2::SecretKey;
use crate::identity::pem::{self, KeyFormat};
use crate::identity::{Identity, file, key_line, system_rng};

/// What to do with a key.
#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// Change, add or remove the passphrase of a private key file
    Passwd {
        /// The private key
        file: PathBuf,
        /// Where the new passphrase stands (first line), instead of asking for it
        #[arg(long, value_name = "FILE", conflicts_with = "remove")]
        new_passphrase_file: Option<PathBuf>,
        /// Remove the passphrase: whoever can read the file has the key then
        #[arg(long)]
        remove: bool,
    },
    /// Write a key in another form; the file that it is in stays as it is
    Convert {
        /// A private key, a public key in PEM, an sm2:… line, or a peer of the table
        key: String,
        /// The form to write
        #[arg(long, value_name = "FORM")]
        to: Form,
        /// Where to write; an existing file is never overwritten [default for public keys: stdout]
        #[arg(short, long, value_name = "OUT")]
        out: Option<PathBuf>,
        /// Where the passphrase of the new form stands (first line) [default: that of the old one, else asked for]
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
}

/// A form of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// The private key in PKCS#8 PEM without a passphrase, as `openssl genpkey` writes it
    Plain,
    /// The private key under a passphrase as GmSSL writes it: PBKDF2 with HMAC-SM3, SM4-CBC
    Gmssl,
    /// The private key under a passphrase as openssl reads it: PBKDF2 with HMAC-SHA256, SM4-CBC
    Openssl,
    /// The public key in PEM, as `openssl pkey -pubout` writes it
    Public,
    /// The public key as the sm2:… line of a table
    Line,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gmssl => "gmssl",
            Self::Openssl => "openssl",
            Self::Public => "public",
            Self::Line => "line",
        }
    }

    fn is_locked(self) -> bool {
        matches!(self, Self::Gmssl | Self::Openssl)
    }

    /// The private key in this form.
    fn encode(self, key: &SecretKey, passphrase: Option<&[u8]>) -> Outcome<Zeroizing<String>> {
        match (self, passphrase) {
            (Self::Gmssl, Some(passphrase)) => Ok(pem::encode_gmssl(key, passphrase, &mut system_rng())),
            (Self::Openssl, Some(passphrase)) => Ok(pem::encode_openssl(key, passphrase, &mut system_rng())),
            (Self::Plain, None) => Ok(pem::encode_plain(key)),
            _ => Err(Failure::new("this form needs a passphrase").hint("give --new-passphrase-file FILE")),
        }
    }
}

pub(super) fn run(command: &Command, global: &Global, printer: &Printer) -> Outcome {
    match command {
        Command::Passwd { file, new_passphrase_file, remove } => {
            passwd(file, new_passphrase_file.as_deref(), *remove, global, printer)
        }
        Command::Convert { key, to, out, new_passphrase_file } => {
            convert(key, *to, out.as_deref(), new_passphrase_file.as_deref(), global, printer)
        }
    }
}

/// A private key that was unlocked, with what its file said of it.
struct Unlocked {
    identity: Identity,
    format: KeyFormat,
    passphrase: Option<Zeroizing<Vec<u8>>>,
}

fn unlock(path: &Path, global: &Global) -> Outcome<Unlocked> {
    let text = file::read(path)?;
    let format = pem::format(&text)?;
    let passphrase =
        if pem::is_encrypted(&text) { node::passphrase(path, global).map_err(Failure::from_io)? } else { None };
    let secret = pem::parse(&text, passphrase.as_ref().map(|phrase| phrase.as_slice()))?;
    Ok(Unlocked { identity: Identity::new(secret), format, passphrase })
}

fn passwd(path: &Path, new: Option<&Path>, remove: bool, global: &Global, printer: &Printer) -> Outcome {
    let old = unlock(path, global)?;
    let form = match old.format {
        _ if remove => Form::Plain,
        KeyFormat::OpensslEncrypted => Form::Openssl,
        _ => Form::Gmssl,
    };
    let passphrase = match new {
        _ if remove => None,
        Some(file) => Some(passphrase::from_file(file)?),
        None => Some(passphrase::new("give --remove for a key without one")?),
    };
    let text = checked(form, old.identity.secret(), passphrase.as_ref())?;
    file::replace(path, &text)?;
    tell(&old.identity, &path.display().to_string(), form, printer);
    Ok(())
}

fn convert(
    what: &str,
    form: Form,
    out: Option<&Path>,
    new: Option<&Path>,
    global: &Global,
    printer: &Printer,
) -> Outcome {
    if matches!(form, Form::Public | Form::Line) {
        let key = who::find(what, global)?.key;
        let text = if form == Form::Line { format!("{}\n", key_line(&key)) } else { pem::encode_public(&key) };
        return match out.filter(|out| out.as_os_str() != "-") {
            None => to_stdout(&text),
            Some(out) => write_new(out, &text),
        };
    }
    let path = Path::new(what);
    if !path.is_file() || file::read_public(path)?.is_some() {
        return Err(Failure::new(format!("{what} is no private key, and none can be made from a public one"))
            .hint("give the file with the private key, or --to public or --to line"));
    }
    let Some(out) = out else {
        return Err(Failure::new("where shall the private key be written?").hint("give -o OUT, or -o - for stdout"));
    };
    let old = unlock(path, global)?;
    let passphrase = match (new, old.passphrase) {
        _ if !form.is_locked() => None,
        (Some(file), _) => Some(passphrase::from_file(file)?),
        (None, Some(passphrase)) => Some(passphrase),
        (None, None) => Some(passphrase::new("give --to plain for a key without one")?),
    };
    let text = checked(form, old.identity.secret(), passphrase.as_ref())?;
    if out.as_os_str() == "-" {
        if std::io::stdout().is_terminal() {
            return Err(Failure::new("a private key is not printed on a terminal").hint("write it with -o FILE"));
        }
        return to_stdout(&text);
    }
    file::save_new(out, &text)?;
    tell(&old.identity, &out.display().to_string(), form, printer);
    Ok(())
}

/// The key in a form, read back: nothing takes the place of a key that would not open again.
fn checked(form: Form, key: &SecretKey, passphrase: Option<&Zeroizing<Vec<u8>>>) -> Outcome<Zeroizing<String>> {
    let passphrase = passphrase.map(|phrase| phrase.as_slice());
    let text = form.encode(key, passphrase)?;
    let back = pem::parse(text.as_bytes(), passphrase)?;
    if bool::from(subtle::ConstantTimeEq::ct_eq(&back, key)) {
        Ok(text)
    } else {
        Err(Failure::new("the key did not come back from its new form; nothing was written").hint("report this"))
    }
}

fn tell(identity: &Identity, path: &str, form: Form, printer: &Printer) {
    let (public, print) = facts(identity.public());
    let value = json!({
        "event": "key", "public": public, "fingerprint": print, "path": path, "safety_number": null, "form": form.name(),
    });
    printer.result(&value, || {
        let locked = if form.is_locked() { "locked with its passphrase" } else { "without a passphrase" };
        format!("wrote {path} ({locked}, readable by you only)\npublic key   {public}\nfingerprint  {print}")
    });
}

fn to_stdout(text: &str) -> Outcome {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| Failure::new(format!("cannot write to stdout: {error}")))
}

fn write_new(path: &Path, text: &str) -> Outcome {
    let made = std::fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    made.map_err(|error| Failure::file("write", path, &error))
}
