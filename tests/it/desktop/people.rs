//! What people do with the app, step by step, as tests and pictures need it.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};

use super::app::App;
use crate::cli::{Peer, json, ok};

pub(super) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Makes an identity that listens on this port; the line that others need.
pub(super) fn first_start(app: &mut App<'_>, name: &str, port: u16) -> String {
    if !app.runs() {
        app.start();
    }
    app.paste(&app.word("start-name"), name);
    app.press(&app.word("start-more"));
    app.write(&app.word("start-listen"), &format!("127.0.0.1:{port}"));
    app.press(&app.word("start-make"));
    app.shows(&app.word("welcome-title"));
    let line = app.shows("sm2:").name;
    let table = std::fs::read_to_string(app.table()).unwrap();
    assert!(table.contains(&format!("name = \"{name}\"")) && table.contains(&port.to_string()), "{table}");
    line
}

/// Adds somebody by the dialog that the list has for it.
pub(super) fn add_later(app: &App<'_>, name: &str, key: &str, address: &str) {
    app.press(&app.word("peers-add"));
    app.shows(&app.word("add-key"));
    add(app, name, key, address);
}

/// Adds the other side in the form, such as on the page that a first start ends with.
pub(super) fn add(app: &App<'_>, name: &str, key: &str, address: &str) {
    app.paste(&app.word("add-name"), name);
    app.paste(&app.word("add-key"), key);
    if !address.is_empty() {
        app.write(&app.word("add-address"), address);
    }
    app.press(&app.word("add-add"));
    app.shows(&format!("{name}, "));
}

/// Opens the conversation with somebody.
pub(super) fn open(app: &App<'_>, name: &str) {
    app.press_with(&format!("{name}, "));
    app.shows(&app.word("composer-hint"));
}

/// Sends a text, and waits until it has been delivered.
pub(super) fn say(app: &App<'_>, text: &str) {
    let field = app.word("composer-hint");
    app.paste(&field, text);
    app.keys("Return");
    app.has(&field, "");
    app.shows(text);
}

/// Chooses a file in the app's own chooser.
pub(super) fn attach(app: &App<'_>, path: &Path) {
    app.press(&app.word("composer-attach"));
    app.write(&app.word("files-path"), path.parent().unwrap().to_str().unwrap());
    app.keys("Return");
    app.press_with(path.file_name().unwrap().to_str().unwrap());
}

/// A harbour in the evening, with the grain of a photograph: a hidden text needs some.
pub(super) fn harbour(folder: &Path) -> PathBuf {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand::rngs::StdRng::seed_from_u64(7);
    let (width, height, shore) = (480u32, 300u32, 190f32);
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let (across, down) = (x as f32, y as f32);
        let hill = shore - 34.0 - 26.0 * (across / 71.0).sin() - 12.0 * (across / 23.0 + 1.0).sin();
        let from_sun = ((across - 340.0).powi(2) + (down - 96.0).powi(2)).sqrt();
        let wave = (down * 0.9 + (across / 31.0).sin() * 3.0).sin() * 9.0;
        let path_of_light = (60.0 - (across - 340.0).abs()).max(0.0) * 1.4;
        let [red, green, blue] = match () {
            () if down > shore => [70.0 + wave + path_of_light, 92.0 + wave + path_of_light * 0.7, 128.0 + wave],
            () if down > hill => [58.0 + down / 9.0, 66.0 + down / 9.0, 84.0],
            () if from_sun < 24.0 => [252.0, 226.0, 170.0],
            () => [226.0 - down * 0.12 - from_sun * 0.1, 150.0 + down * 0.2 - from_sun * 0.08, 120.0 + from_sun * 0.12],
        };
        let grain = rng.random_range(-5.0..5.0);
        Rgb([red, green, blue].map(|part| (part + grain).clamp(2.0, 253.0) as u8))
    });
    let path = folder.join("harbour.png");
    picture.save(&path).unwrap();
    path
}

/// A camera that shows the test pattern, and a table with those who may watch it.
pub(super) struct Camera {
    pub(super) line: String,
    pub(super) port: u16,
    process: Option<Peer>,
    folder: PathBuf,
}

impl Camera {
    /// Not started yet.
    pub(super) fn new(folder: &Path, viewers: &[(&str, &str)]) -> Self {
        let folder = folder.join("camera");
        std::fs::create_dir(&folder).unwrap();
        let made = json(&ok(&["keygen", "--json"], &folder));
        let (line, port) = (made[0]["public"].as_str().unwrap().to_owned(), free_port());
        let mut table = format!(
            "[me]\nname = \"camera\"\nkey = \"keys/identity.pem\"\nlisten = \"127.0.0.1:{port}\"\ndata = \"data\"\n"
        );
        for (name, key) in viewers {
            table += &format!("\n[[peer]]\nname = \"{name}\"\nkey = \"{key}\"\nallow = [\"camera\"]\n");
        }
        std::fs::write(folder.join("peers.toml"), table).unwrap();
        Self { line, port, process: None, folder }
    }

    pub(super) fn start(&mut self) {
        let show = ["camera", "--source", "test", "--size", "640x360", "--fps", "15"];
        self.process = Some(Peer::start(&show, &self.folder));
    }

    /// Ends it as a cut of the power does.
    pub(super) fn kill(&mut self) {
        self.process.take().expect("the camera runs").kill();
    }
}
