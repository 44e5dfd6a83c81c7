//! Pipes, terminals, interruption, and files of any size in constant memory.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use super::{fails, miyu, names, ok};
use crate::support::PATIENCE;

fn start(arguments: &[&str], home: &Path) -> Child {
    let mut command = miyu();
    command.args(arguments).current_dir(home).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn keys() -> TempDir {
    let folder = TempDir::new().unwrap();
    ok(&["keygen", "--out", "k.pem"], folder.path());
    folder
}

#[test]
fn a_pipe_takes_what_a_file_takes() {
    let folder = keys();
    let home = folder.path();
    for text in ["", "密", &"0123456789".repeat(20_000)] {
        let through = |arguments: &[&str], input: &[u8]| {
            let mut child = start(arguments, home);
            let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
            let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
            let mut out = Vec::new();
            child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
            writer.join().unwrap();
            assert!(child.wait().unwrap().success(), "{arguments:?}");
            out
        };
        let sealed = through(&["encrypt", "--to", "k.pem", "-"], text.as_bytes());
        assert!(sealed.starts_with(b"miyu-sealed/1\n"));
        assert!(through(&["decrypt", "--key", "k.pem", "-"], &sealed) == text.as_bytes());
        let signature = through(&["sign", "--key", "k.pem", "-"], text.as_bytes());
        std::fs::write(home.join("s"), signature).unwrap();
        through(&["verify", "-", "--from", "k.pem", "--signature", "s"], text.as_bytes());
    }
    fails(&["encrypt", "--to", "k.pem", "-", "--json"], home, "--json", "-o FILE");
}

/// More than any of these commands may take.
const RESIDENT_KIB_MAX: u64 = 64 * 1024;
const LARGE_BYTES: usize = 100 << 20;

/// Feeds `input`, then looks at the most memory that the process ever had, then ends its input.
#[cfg(target_os = "linux")]
fn in_constant_memory(arguments: &[&str], home: &Path, mut input: impl Read) {
    let mut child = start(arguments, home);
    let mut stdin = child.stdin.take().unwrap();
    let mut piece = vec![0; 1 << 20];
    // the pipe holds 64 KiB, so that all but as much has been taken when the last byte is in it
    loop {
        let count = input.read(&mut piece).unwrap();
        if count == 0 {
            break;
        }
        stdin.write_all(&piece[..count]).unwrap();
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success(), "{arguments:?}");
    assert!(kib < RESIDENT_KIB_MAX, "{arguments:?} took {kib} KiB");
    eprintln!("{}: {kib} KiB at most", arguments[0]);
}

#[cfg(target_os = "linux")]
#[test]
fn large_files_take_no_more_memory_than_small_ones() {
    let folder = keys();
    let home = folder.path();
    let path = crate::support::file(home, LARGE_BYTES, 13);
    let open = |name: &str| std::fs::File::open(home.join(name)).unwrap();
    let file = path.file_name().unwrap().to_str().unwrap();
    in_constant_memory(&["encrypt", "--to", "k.pem", "-", "-o", "sealed"], home, open(file));
    in_constant_memory(&["decrypt", "--key", "k.pem", "-", "-o", "back"], home, open("sealed"));
    assert!(std::fs::read(&path).unwrap() == std::fs::read(home.join("back")).unwrap());
    in_constant_memory(&["sign", "--key", "k.pem", "-", "-o", "signature"], home, open(file));
    in_constant_memory(&["verify", "-", "--from", "k.pem", "--signature", "signature"], home, open(file));
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_leaves_nothing_behind() {
    let folder = keys();
    let home = folder.path();
    let before = names(home);
    for signal in ["-INT", "-TERM"] {
        let mut child = start(&["encrypt", "--to", "k.pem", "-", "-o", "out"], home);
        // it waits for more of its input when the signal comes
        child.stdin.as_mut().unwrap().write_all(&[7; 100_000]).unwrap();
        let deadline = std::time::Instant::now() + PATIENCE;
        while names(home) == before {
            assert!(std::time::Instant::now() < deadline, "no unfinished file appeared");
            std::thread::yield_now();
        }
        let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert_eq!(names(home), before, "{signal}");
    }
}

/// Runs a command line on a terminal of its own by `script`, which util-linux has; types `keys`.
#[cfg(target_os = "linux")]
fn on_a_terminal(line: &str, keys: &str, home: &Path) -> Option<String> {
    let command = format!("{} {line}", env!("CARGO_BIN_EXE_miyu"));
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).current_dir(home).env_remove("MIYU_PASSPHRASE_FILE");
    let Ok(mut child) = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else {
        eprintln!("skipped: there is no script command here");
        return None;
    };
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut shown, mut piece, mut keys) = (String::new(), [0; 1024], keys.lines());
    loop {
        // a terminal answers a prompt: what is typed before it may be thrown away
        let count = stdout.read(&mut piece).unwrap_or(0);
        if count == 0 {
            child.wait().unwrap();
            return Some(shown);
        }
        shown.push_str(&String::from_utf8_lossy(&piece[..count]));
        if shown.ends_with(": ")
            && let Some(key) = keys.next()
        {
            stdin.write_all(format!("{key}\n").as_bytes()).unwrap();
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_questions_and_text_and_nothing_else() {
    let folder = keys();
    let home = folder.path();
    std::fs::write(home.join("f"), "plain words\n").unwrap();
    let Some(shown) = on_a_terminal("encrypt --passphrase f", "three words\nthree words\n", home) else { return };
    assert!(shown.contains("new passphrase: ") && shown.contains("wrote f.miyu"), "{shown}");
    let shown = on_a_terminal("encrypt --passphrase f -o g", "three words\nother words\n", home).unwrap();
    assert!(shown.contains("the two passphrases differ") && !home.join("g").exists(), "{shown}");
    let shown = on_a_terminal("decrypt f.miyu -o -", "three words\n", home).unwrap();
    assert!(shown.contains("plain words"), "{shown}");
    let shown = on_a_terminal("encrypt --to k.pem f -o -", "", home).unwrap();
    assert!(shown.contains("stdout is a terminal") && !shown.contains("miyu-sealed"), "{shown}");
    std::fs::write(home.join("bin"), "\u{1b}[2J").unwrap();
    ok(&["encrypt", "--to", "k.pem", "bin"], home);
    let shown = on_a_terminal("decrypt --key k.pem bin.miyu -o -", "", home).unwrap();
    assert!(shown.contains("not text") && !shown.contains("\u{1b}[2J"), "{shown}");
}
