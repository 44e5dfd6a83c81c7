//! What people do with the app, step by step, as tests and pictures need it.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use image::RgbImage;
use miyu::media::camera::{Stamp, read_back};
use miyu::media::jpeg::Rgb;

use super::app::App;
use crate::cli::{ASSETS, Peer, json, ok};

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

/// A photograph: a hidden text needs the grain of one.
pub(super) fn photo() -> PathBuf {
    Path::new(ASSETS).join("photo.png")
}

/// Pixels of the camera's pictures.
const CAMERA_SIZE: [u32; 2] = [640, 360];

/// A camera, and a table with those who may watch it.
pub(super) struct Camera {
    pub(super) line: String,
    pub(super) port: u16,
    process: Option<Peer>,
    source: String,
    folder: PathBuf,
}

impl Camera {
    /// Not started yet; its folder is made there.
    pub(super) fn new(folder: PathBuf, source: &str, viewers: &[(&str, &str)]) -> Self {
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
        Self { line, port, process: None, source: source.to_owned(), folder }
    }

    pub(super) fn start(&mut self) {
        let size = CAMERA_SIZE.map(|pixels| pixels.to_string()).join("x");
        let show = ["camera", "--source", &self.source, "--size", &size, "--fps", "15"];
        self.process = Some(Peer::start(&show, &self.folder));
    }

    /// Ends it as a cut of the power does.
    pub(super) fn kill(&mut self) {
        self.process.take().expect("the camera runs").kill();
    }
}

/// What the stamp in the picture of a camera says, and the pixels around it. The tile is the whole room that the picture
/// has: it lies in the middle, as large as it fits.
pub(super) fn stamp(app: &App<'_>, label: &str) -> Option<(Stamp, RgbImage)> {
    let tile = app.widgets().into_iter().find(|widget| widget.name == label)?;
    let (left, top, width, height) = app.place(&tile)?;
    let [across, down] = CAMERA_SIZE.map(|pixels| pixels as f32);
    let factor = (width as f32 / across).min(height as f32 / down);
    let size = [across, down].map(|pixels| (pixels * factor).round() as i32);
    let place = (left + (width - size[0]) / 2, top + (height - size[1]) / 2, size[0], size[1]);
    let picture = app.picture(place);
    let (width, height) = picture.dimensions();
    let rgb = Rgb { width, height, data: picture.as_raw().clone() };
    read_back(&rgb).map(|stamp| (stamp, picture))
}
