//! What a service manager hears (sd_notify), and what it does not hear.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use super::{BOTH, Hosts, Peer, miyu};
use crate::support::PATIENCE;

/// After this time without a sign of life a manager would end the process.
const WATCHDOG: Duration = Duration::from_millis(600);

struct Manager {
    ear: UnixDatagram,
    peer: Peer,
}

impl Manager {
    /// Starts a command as a service manager does.
    fn start(hosts: &Hosts, arguments: &[&str]) -> Self {
        let socket = hosts.folder.path().join("notify");
        let ear = UnixDatagram::bind(&socket).unwrap();
        ear.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = miyu();
        command.args(arguments).arg("--json").current_dir(&hosts.bob).stderr(std::process::Stdio::null());
        command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        command.env_remove("WATCHDOG_PID");
        Self { ear, peer: Peer::spawn(&mut command) }
    }

    fn hears(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.ear.recv(&mut bytes).expect("a word from the service");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// All that is heard until one that begins so, and that one.
    fn until(&self, start: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while !heard.last().is_some_and(|last: &String| last.starts_with(start)) {
            heard.push(self.hears());
        }
        heard
    }
}

#[test]
fn a_service_is_ready_lives_reloads_and_stops() {
    let hosts = Hosts::new(BOTH);
    let manager = Manager::start(&hosts, &["camera", "--source", "test", "--size", "160x120", "--fps", "10"]);
    assert_eq!(manager.until("READY=1"), ["READY=1\n"], "nothing before it is ready");
    let mut status = Vec::new();
    for _ in 0..3 {
        status.extend(manager.until("WATCHDOG=1").into_iter().filter(|word| word.starts_with("STATUS=")));
    }
    assert!(status[0].contains("linked to 0 peers"), "{status:?}");
    let camera = "linked to 0 peers; the camera has 0 viewers\n";
    assert!(status.iter().any(|word| word.ends_with(camera)), "{status:?}");
    let pid = manager.peer.pid().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let reloading = manager.until("RELOADING=1").pop().unwrap();
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading:?}");
    manager.until("READY=1");
    manager.until("WATCHDOG=1");
    let Manager { ear, peer } = manager;
    peer.end();
    ear.set_nonblocking(true).unwrap();
    let mut last = Vec::new();
    let mut bytes = [0; 4096];
    while let Ok(length) = ear.recv(&mut bytes) {
        last.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
    }
    assert_eq!(last.last().unwrap(), "STOPPING=1\n", "{last:?}");
}

#[test]
fn a_peer_without_a_camera_lives_too() {
    let hosts = Hosts::new(BOTH);
    let manager = Manager::start(&hosts, &["run"]);
    manager.until("READY=1");
    for _ in 0..2 {
        manager.until("WATCHDOG=1");
    }
}

/// It is asked for again and again: a manager that ended it would mend nothing.
#[cfg(feature = "camera")]
#[test]
fn a_camera_that_is_away_is_no_reason_to_end_the_service() {
    let hosts = Hosts::new(BOTH);
    let manager = Manager::start(&hosts, &super::ABSENT);
    manager.until("READY=1");
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.extend(manager.until("WATCHDOG=1"));
    }
    assert!(heard.iter().any(|word| word.contains("STATUS=") && word.contains("no signal")), "{heard:?}");
}
