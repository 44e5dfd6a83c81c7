//! Sound through a real sound server: microphones that are the monitors of its null sinks, and what is played on them.
//!
//! Each test has a server of its own, in a folder of its own. Without PulseAudio they are skipped, and say so;
//! `./x sound` installs what they need.

pub(crate) mod server;
pub(crate) mod signal;

use std::path::Path;
use std::process::Output;

use miyu::media::clip;
use serde_json::Value;

use crate::cli::{BOTH, Hosts, Peer, err, json, out};
use server::Server;
use signal::{Fit, RATE, fit, floats, rms_db, speech};

/// Of what is spoken: more than the longest recording and all that comes before it on a slow machine.
const SPEECH_SECONDS: usize = 30;

fn samples(wav: &[u8]) -> Vec<f32> {
    let (info, samples) = clip::decode(wav).unwrap();
    assert_eq!((info.sample_rate as usize, info.channels, info.bits), (RATE, 1, 16));
    samples
}

fn good(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}{}", out(output), err(output));
    json(&out(output))
}

/// The error and the hint of a command that failed.
fn failure(output: &Output) -> (String, String) {
    assert_eq!(output.status.code(), Some(1), "{}{}", out(output), err(output));
    let event = json(&out(output)).pop().unwrap();
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    (text("error"), text("hint"))
}

#[track_caller]
fn same(found: &Fit) {
    assert!(found.correlation > 0.97, "{found:?}");
    assert!(found.louder_db.abs() < 1.0, "{found:?}");
}

#[test]
fn what_is_spoken_is_recorded_sent_and_played() {
    let Some(server) = Server::start(&["room", "speaker"]) else { return };
    let hosts = Hosts::new(BOTH);
    let spoken = speech(SPEECH_SECONDS, 11);
    let speaking = server.play("room", &spoken);
    let spoken = floats(&spoken);

    let recorded = good(&server.miyu(&["clip", "record", "a.wav", "--json"], &hosts.alice).output().unwrap());
    let wav = std::fs::read(hosts.alice.join("a.wav")).unwrap();
    let sound = samples(&wav);
    // counted in samples, it is exact
    assert_eq!(sound.len(), 5 * RATE);
    same(&fit(&spoken, &sound));
    let told = &recorded[0];
    assert_eq!(
        (told["event"].as_str(), told["path"].as_str(), told["seconds"].as_f64()),
        (Some("clip"), Some("a.wav"), Some(5.0))
    );
    assert!((told["rms_db"].as_f64().unwrap() - rms_db(&sound)).abs() < 0.1, "{told}");
    assert!(told["device"].as_str().unwrap().contains("room"), "{told}");

    let mut bob = Peer::start(&["run", "--save", "saved"], &hosts.bob);
    good(&server.miyu(&["send", "bob", "--record", "--json"], &hosts.alice).output().unwrap());
    let came = bob.wait("message");
    assert_eq!(came["kind"].as_str(), Some("clip"));
    let received = hosts.bob.join(came["path"].as_str().unwrap());
    let sound = samples(&std::fs::read(&received).unwrap());
    assert_eq!(sound.len(), 5 * RATE);
    same(&fit(&spoken, &sound));
    drop(speaking);

    let captured = hosts.folder.path().join("captured.raw");
    let capture = server.capture("speaker", &captured);
    let play = ["clip", "play", received.to_str().unwrap(), "--device", "speaker", "--json"];
    let played = good(&server.miyu(&play, &hosts.bob).output().unwrap());
    // what was heard last is on its way to the file
    let bytes = std::fs::metadata(&captured).unwrap().len();
    server.until("the end of the capture", |_| std::fs::metadata(&captured).unwrap().len() > bytes + RATE as u64);
    drop(capture);
    let told = &played[0];
    assert_eq!(
        (told["event"].as_str(), told["seconds"].as_f64(), told["to"].as_f64()),
        (Some("played"), Some(5.0), Some(5.0))
    );
    let raw = std::fs::read(&captured).unwrap();
    let heard: Vec<i16> = raw.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    // to its very end: the command returns when the last sample has been heard
    same(&fit(&floats(&heard), &sound));
}

#[test]
fn a_microphone_that_gives_silence_is_refused_and_nothing_is_sent() {
    let Some(server) = Server::start(&["room"]) else { return };
    let hosts = Hosts::new(BOTH);
    let record = ["clip", "record", "a.wav", "--seconds", "0.5", "--json"];
    let (error, hint) = failure(&server.miyu(&record, &hosts.alice).output().unwrap());
    assert!(error.contains("nothing but silence for 0.5 s") && hint.contains("muted"), "{error}; {hint}");
    assert!(!hosts.alice.join("a.wav").exists());
    let (error, _) = failure(&server.miyu(&["send", "bob", "--record", "--json"], &hosts.alice).output().unwrap());
    assert!(error.contains("nothing but silence for 5.0 s"), "{error}");
    let stored = server.miyu(&["history", "bob", "--json"], &hosts.alice).output().unwrap();
    assert_eq!(good(&stored).len(), 0, "nothing waits to be sent");
}

/// Runs a recording and does something to the server while it is under way.
fn recording_meanwhile(server: &mut Server, folder: &Path, meanwhile: impl FnOnce(&mut Server)) -> (String, String) {
    let mut command = server.miyu(&["clip", "record", "a.wav", "--json"], folder);
    let recording = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    server.until_recorded();
    meanwhile(server);
    let failed = failure(&recording.wait_with_output().unwrap());
    assert!(!folder.join("a.wav").exists());
    failed
}

#[test]
fn a_microphone_that_is_unplugged_says_so() {
    let Some(mut server) = Server::start(&["room"]) else { return };
    let hosts = Hosts::new(BOTH);
    let _speaking = server.play("room", &speech(SPEECH_SECONDS, 12));
    let (error, hint) = recording_meanwhile(&mut server, &hosts.alice, |server| {
        server.control(&["unload-module", "module-null-sink"]).unwrap();
    });
    assert!(error.contains("is not there (any more)"), "{error}");
    assert!(hint.contains("plug it in again"), "{hint}");
}

#[test]
fn a_sound_server_that_dies_is_noticed() {
    let Some(mut server) = Server::start(&["room"]) else { return };
    let hosts = Hosts::new(BOTH);
    let _speaking = server.play("room", &speech(SPEECH_SECONDS, 13));
    let (error, hint) = recording_meanwhile(&mut server, &hosts.alice, Server::crash);
    assert!(error.contains("is not there (any more)"), "{error}");
    assert!(hint.contains("miyu devices"), "{hint}");
}

#[test]
fn devices_are_listed_and_chosen_by_name() {
    let Some(server) = Server::start(&["room", "hall"]) else { return };
    let hosts = Hosts::new(BOTH);
    let listed = good(&server.miyu(&["devices", "--json"], &hosts.alice).output().unwrap());
    let of = |kind: &str| -> Vec<&Value> { listed.iter().filter(|device| device["kind"] == kind).collect() };
    let ids = |kind: &str| -> Vec<&str> { of(kind).iter().map(|device| device["id"].as_str().unwrap()).collect() };
    assert_eq!((ids("input"), ids("output")), (vec!["room.monitor", "hall.monitor"], vec!["room", "hall"]));
    assert!(listed.iter().all(|device| device["event"] == "device"));
    let first = of("input")[0];
    assert_eq!((first["default"].as_bool(), first["host"].as_str()), (Some(true), Some("pulseaudio")));
    assert_eq!((first["rate"].as_u64(), first["channels"].as_u64()), (Some(48_000), Some(2)));
    assert_eq!(of("input")[1]["default"].as_bool(), Some(false));

    // the hall is heard only by who asks for it, by flag or by table
    let _speaking = server.play("hall", &speech(SPEECH_SECONDS, 14));
    let record = |more: &[&str]| {
        let arguments = [&["clip", "record", "-", "--seconds", "0.3", "-q"], more].concat();
        server.miyu(&arguments, &hosts.alice).output().unwrap()
    };
    let heard = |output: &Output| {
        assert!(output.status.success(), "{}", err(output));
        assert_eq!(samples(&output.stdout).len(), RATE * 3 / 10);
    };
    heard(&record(&["--device", "hall.monitor"]));
    heard(&record(&["--device", "pulseaudio:hall.monitor"]));
    heard(&record(&["--device", "monitor OF HALL"]));
    assert!(err(&record(&[])).contains("silence"));
    let table = std::fs::read_to_string(hosts.alice.join("peers.toml")).unwrap();
    std::fs::write(hosts.alice.join("peers.toml"), format!("{table}[sound]\ninput = \"hall.monitor\"\n")).unwrap();
    heard(&record(&[]));

    let none = err(&record(&["--device", "cellar"]));
    assert!(none.contains("no sound input \"cellar\"; inputs: room.monitor, hall.monitor"), "{none}");
    assert!(none.contains("hint: ") && none.contains("miyu devices"), "{none}");
}

/// ALSA's plug-in for the sound server. A recording through it used to be measured by the clock, and seemed to lack two
/// seconds of five: those in which the null sink slept before its monitor gave a first sample. None was lost.
#[test]
fn a_recording_through_alsa_is_as_long_as_any() {
    let plugin = "alsa-lib/libasound_module_pcm_pulse.so";
    let libraries = ["/usr/lib", "/usr/lib64"].into_iter().flat_map(|folder| {
        let inner = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        inner.chain([folder.into()])
    });
    if !libraries.into_iter().any(|folder| folder.join(plugin).exists()) {
        eprintln!("skipped: ALSA's plug-in for sound servers is not here; ./x sound installs it");
        return;
    }
    let Some(server) = Server::start(&["room"]) else { return };
    let hosts = Hosts::new(BOTH);
    let spoken = speech(SPEECH_SECONDS, 15);
    let _speaking = server.play("room", &spoken);
    let record = ["clip", "record", "a.wav", "--device", "alsa:default", "--json"];
    good(&server.miyu(&record, &hosts.alice).output().unwrap());
    let sound = samples(&std::fs::read(hosts.alice.join("a.wav")).unwrap());
    assert_eq!(sound.len(), 5 * RATE);
    same(&fit(&floats(&spoken), &sound));
}

#[test]
fn an_existing_file_is_not_overwritten_and_wrong_times_are_refused() {
    let hosts = Hosts::new(BOTH);
    std::fs::write(hosts.alice.join("a.wav"), "mine").unwrap();
    let run = |arguments: &[&str]| failure(&crate::cli::run(&[arguments, &["--json"]].concat(), &hosts.alice));
    let (error, hint) = run(&["clip", "record", "a.wav"]);
    assert!(error.contains("a.wav exists already") && hint.contains("--force"), "{error}; {hint}");
    assert_eq!(std::fs::read(hosts.alice.join("a.wav")).unwrap(), b"mine");
    let (error, hint) = run(&["clip", "record", "b.wav", "--seconds", "6"]);
    assert!(error.contains("not within 0.1 and 5") && hint.contains("--clip"), "{error}; {hint}");
}
