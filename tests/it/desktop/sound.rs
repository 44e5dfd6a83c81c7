//! A voice clip: spoken into a microphone where the machine has a sound server, else taken from a file.

use std::path::Path;

use miyu::media::clip;

use super::app::App;
use super::desk::step;
use super::people::attach;
use crate::cli::ASSETS;
#[cfg(feature = "audio")]
use crate::sound::server::Server;
#[cfg(feature = "audio")]
use crate::sound::signal::{fit, floats, speech};

/// Of what is spoken: more than the longest recording.
#[cfg(feature = "audio")]
const SPEECH_SECONDS: usize = 30;

/// A room with a microphone, if there is one.
pub(super) struct Room {
    #[cfg(feature = "audio")]
    server: Option<Server>,
}

impl Room {
    pub(super) fn start() -> Self {
        Self {
            #[cfg(feature = "audio")]
            server: Server::start(&["room", "speaker"]),
        }
    }

    /// With these a process finds the room.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        #[cfg(feature = "audio")]
        if let Some(server) = &self.server {
            let said = server.control(&["info"]).unwrap();
            let socket = said.lines().find_map(|line| line.strip_prefix("Server String: ")).unwrap().to_owned();
            let at_home = server.command("true");
            let home = at_home.get_envs().find_map(|(name, value)| (name == "HOME").then_some(value?)).unwrap();
            let cookie = Path::new(home).join(".config/pulse/cookie").display().to_string();
            return vec![("PULSE_SERVER".to_owned(), format!("unix:{socket}")), ("PULSE_COOKIE".to_owned(), cookie)];
        }
        Vec::new()
    }

    /// Somebody speaks to somebody, who keeps it as a file.
    pub(super) fn speak(&self, from: &App<'_>, to: &App<'_>) {
        #[cfg(feature = "audio")]
        if let Some(server) = &self.server {
            step("a clip from the microphone");
            let spoken = speech(SPEECH_SECONDS, 31);
            let speaking = server.play("room", &spoken);
            from.press(&from.word("recorder-record"));
            // It ends by itself after five seconds.
            from.control("the clip that was recorded", |name| name == length(from, "0:05"));
            drop(speaking);
            let sound = sent(from, to, "0:05");
            let found = fit(&floats(&spoken), &sound);
            assert!(found.correlation > 0.97, "{found:?}");
            return;
        }
        step("a clip from a file");
        let path = Path::new(ASSETS).join("clip.wav");
        let wav = std::fs::read(&path).unwrap();
        attach(from, &path);
        let (info, samples) = clip::decode(&wav).unwrap();
        let seconds = (samples.len() as f64 / f64::from(info.sample_rate)).round();
        assert_eq!(sent(from, to, &format!("0:{seconds:02}")), samples);
    }
}

/// What the button says that plays a clip of this length.
fn length(app: &App<'_>, length: &str) -> String {
    app.words.with("clip-play", &[("length", length.into())])
}

/// Sends what waits, and what comes of it on the other side: it is played, and kept as a file.
fn sent(from: &App<'_>, to: &App<'_>, seconds: &str) -> Vec<f32> {
    from.press(&from.word("composer-send"));
    to.press(&length(to, seconds));
    let kind = to.word("kind-clip");
    to.press(&to.words.with("message-menu", &[("text", kind.into())]));
    to.press(&to.word("message-save"));
    let saved = to.words.with("notice-saved", &[("path", "|".into())]);
    let (before, after) = saved.split_once('|').unwrap();
    let (before, after) = (before.to_owned(), after.to_owned());
    let path = to.wait("the place of the file", |app| {
        let mut said =
            app.widgets().into_iter().filter_map(|widget| widget.name.strip_prefix(&before).map(str::to_owned));
        said.find_map(|path| path.strip_suffix(&after).map(str::to_owned))
    });
    to.press(&to.word("notice-close"));
    clip::decode(&std::fs::read(path).unwrap()).unwrap().1
}
