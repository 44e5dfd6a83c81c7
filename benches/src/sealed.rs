//! Sealed files beside age's library: 1 GiB, encrypted to one key and decrypted again, from file to file and to nowhere.
//!
//! age works with X25519 and ChaCha20-Poly1305 in chunks of 64 KiB. Files lie in the system's cache; nobody waits for
//! the disk here, as `miyu encrypt` does and age's own program does not.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result};
use miyu::crypto::sm2::SecretKey;
use miyu::crypto::sm4::Keystream;
use miyu::identity::system_rng;
use miyu::seal::{self, Header, Recipient};

use crate::clock::Meter;
use crate::paired::Series;
use crate::report::{Row, Unit};

const BYTES: usize = 1 << 30;
/// The file is made in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;
const ROUNDS: u32 = 5;

/// What is timed: direction, and whether a file is written.
const CASES: [(&str, bool, bool); 4] = [
    ("1 GiB, encrypt, file to file", true, true),
    ("1 GiB, decrypt, file to file", false, true),
    ("1 GiB, encrypt, to nowhere", true, false),
    ("1 GiB, decrypt, to nowhere", false, false),
];

pub(crate) fn run(rounds: Option<u32>) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    write_plain(&at("plain"))?;
    let sides: [Box<dyn Side>; 2] =
        [Box::new(Miyu(SecretKey::generate(&mut system_rng()))), Box::new(Age(age::x25519::Identity::generate()))];
    for (side, name) in sides.iter().zip(["miyu", "age"]) {
        side.encrypt(&mut File::open(at("plain"))?, &mut File::create(at(name))?)?;
    }
    let names = ["miyu", "age"];
    let mut wall = CASES.map(|_| names.map(Series::new));
    let mut cpu = wall.clone();
    for round in 0..rounds.unwrap_or(ROUNDS) as usize {
        for (case, (_, encrypts, to_file)) in CASES.iter().enumerate() {
            for turn in 0..2 {
                let who = (round + turn) % 2;
                let mut input = File::open(at(if *encrypts { "plain" } else { names[who] }))?;
                let mut output: Box<dyn Write> =
                    if *to_file { Box::new(File::create(at("output"))?) } else { Box::new(io::sink()) };
                let meter = Meter::start();
                if *encrypts {
                    sides[who].encrypt(&mut input, &mut output)?;
                } else {
                    sides[who].decrypt(&mut input, &mut output)?;
                }
                let cost = meter.stop();
                wall[case][who].figures.push(cost.wall.as_secs_f64());
                cpu[case][who].figures.push(cost.cpu.as_secs_f64());
            }
        }
    }
    let path = miyu::crypto::gcm::Backend::chosen().name();
    let rows = CASES.iter().zip(wall.iter().zip(&cpu)).flat_map(|((case, ..), (wall, cpu))| {
        [
            Row::beside(case, path, Unit::Seconds, &wall[0], &wall[1]),
            Row::beside(case, path, Unit::CpuSeconds, &cpu[0], &cpu[1]),
        ]
    });
    Ok(rows.collect())
}

fn write_plain(path: &Path) -> Result<()> {
    let mut file = File::create(path).context("a file of 1 GiB for the bench")?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut stream = Keystream::new(&[7; 32]);
    for _ in 0..BYTES / PIECE_BYTES {
        stream.fill(&mut piece);
        file.write_all(&piece)?;
    }
    Ok(())
}

/// A program that seals files.
trait Side {
    fn encrypt(&self, input: &mut dyn Read, output: &mut dyn Write) -> Result<()>;
    fn decrypt(&self, input: &mut dyn Read, output: &mut dyn Write) -> Result<()>;
}

struct Miyu(SecretKey);

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

impl Side for Miyu {
    fn encrypt(&self, input: &mut dyn Read, output: &mut dyn Write) -> Result<()> {
        let recipients = [Recipient::Key(self.0.public_key())];
        seal::encrypt(&recipients, input, output, &mut system_rng(), &mut go_on)?;
        Ok(())
    }

    fn decrypt(&self, input: &mut dyn Read, output: &mut dyn Write) -> Result<()> {
        let opener = Header::read(input)?.unlock_with_key(&self.0)?.context("our own key")?;
        opener.open(input, output, &mut go_on)?;
        Ok(())
    }
}

struct Age(age::x25519::Identity);

impl Side for Age {
    fn encrypt(&self, input: &mut dyn Read, output: &mut dyn Write) -> Result<()> {
        let recipient = self.0.to_public();
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))?;
        let mut sealing = encryptor.wrap_output(output)?;
        io::copy(input, &mut sealing)?;
        sealing.finish()?;
        Ok(())
    }

    fn decrypt(&self, input: &mut dyn Read, output: &mut dyn Write) -> Result<()> {
        let decryptor = age::Decryptor::new(input)?;
        let mut opening = decryptor.decrypt(std::iter::once(&self.0 as &dyn age::Identity))?;
        io::copy(&mut opening, output)?;
        Ok(())
    }
}
