//! The desktop app as people use it: real windows under an X server without a screen, a window manager, a mouse and a
//! keyboard. What the windows show is read from what they tell screen readers.
//!
//! It needs more than an ordinary run has, so it is ignored there; `./x desktop` installs that and runs it.

mod app;
mod desk;
mod people;
mod pictures;
mod sound;

use miyu::gui::words::Language;

use app::App;
use desk::{Desk, step};
use people::{Camera, add, add_later, attach, first_start, free_port, open, photo, say, stamp};

/// What alice hides in a picture.
const HIDDEN: &str = "今晚八点，老地方见。";

/// A desktop and its two people, who know each other.
struct Meeting<'a> {
    desk: &'a Desk,
    alice: App<'a>,
    bob: App<'a>,
    alice_line: String,
}

impl<'a> Meeting<'a> {
    /// First start of both, one in Chinese, one in English, and adding each other.
    fn begin(desk: &'a Desk, extra: &[(String, String)]) -> Self {
        let mut alice = App::new(desk, "alice", Language::Chinese, 10).with(extra);
        let mut bob = App::new(desk, "bob", Language::English, 1040).with(extra);
        let (alice_port, bob_port) = (free_port(), free_port());
        step("first start of both, one in Chinese, one in English");
        let alice_line = first_start(&mut alice, "爱丽丝", alice_port);
        let bob_line = first_start(&mut bob, "bob", bob_port);
        alice.press(&alice.word("own-key-copy"));
        desk::until("the line in the clipboard", || (desk.copied() == alice_line).then_some(()));

        step("adding each other");
        add(&alice, "bob", &bob_line, &format!("127.0.0.1:{bob_port}"));
        add(&bob, "爱丽丝", &alice_line, "");
        for (app, other) in [(&alice, "bob"), (&bob, "爱丽丝")] {
            app.shows(&format!("{other}, {}", app.word("peers-here")));
        }
        Self { desk, alice, bob, alice_line }
    }

    fn talk(&self) {
        step("text both ways");
        let Self { alice, bob, .. } = self;
        open(alice, "bob");
        say(alice, "你好，鲍勃！收到了吗？");
        bob.shows("你好，鲍勃！收到了吗？");
        open(bob, "爱丽丝");
        alice.shows(&alice.word("state-read"));
        say(bob, "收到了。明天见😄");
        alice.shows("收到了。明天见😄");
        bob.shows(&bob.word("state-delivered"));
    }

    fn hide(&self) {
        step("a picture with a hidden text");
        let Self { alice, bob, .. } = self;
        attach(alice, &photo());
        alice.press(&alice.word("composer-hide"));
        alice.paste(&alice.word("composer-hidden"), HIDDEN);
        alice.press(&alice.word("composer-send"));
        bob.shows(&bob.words.with("picture-open", &[("name", "photo.png".into())]));
        assert!(bob.widgets().iter().all(|widget| !widget.name.contains(HIDDEN)), "it is hidden until it is opened");
        bob.press_with(&bob.word("hidden-open"));
        bob.shows(HIDDEN);
    }

    /// Alice sees what the camera shows: the pictures change, and their number grows.
    fn watch(&self) {
        step("a camera that moves, is lost and comes back");
        let alice = &self.alice;
        let mut camera = Camera::new(self.desk.folder().join("camera"), "test", &[("alice", &self.alice_line)]);
        camera.start();
        add_later(alice, "花园", &camera.line, &format!("127.0.0.1:{}", camera.port));
        alice.press(&alice.words.with("camera-open", &[("name", "花园".into())]));
        let label = alice.words.with("camera-picture", &[("name", "花园".into())]);
        let (first, before) = alice.wait("the number in the picture", |app| stamp(app, &label));
        let moved = |app: &App<'_>| stamp(app, &label).filter(|(now, _)| now.frame > first.frame);
        let (second, after) = alice.wait("a later picture", moved);
        assert!(before != after, "frames {} and {} look the same", first.frame, second.frame);
        step(&format!("frames {} and {} were seen", first.frame, second.frame));
        camera.kill();
        let lost = alice.words.with("camera-lost", &[("time", "|".into()), ("why", "|".into())]);
        alice.shows(lost.split('|').next().unwrap());
        camera.start();
        // The new process counts from the beginning.
        let anew = |app: &App<'_>| stamp(app, &label).filter(|(now, _)| now.unix_ms > second.unix_ms);
        alice.wait("the camera to come back", anew);
    }

    /// What bob has said before is there at his next start.
    fn come_back(&mut self) {
        step("closing, and what was said is there at the next start");
        let took = self.bob.close();
        step(&format!("bob's window was gone after {} ms", took.as_millis()));
        let (alice, bob) = (&self.alice, &mut self.bob);
        alice.shows(&format!("bob, {}", alice.word("peers-away")));
        bob.start();
        open(bob, "爱丽丝");
        bob.shows("你好，鲍勃！收到了吗？");
        bob.shows("收到了。明天见😄");
        alice.shows(&format!("bob, {}", alice.word("peers-here")));
    }
}

#[test]
#[ignore = "needs an X server and more: ./x desktop"]
fn two_people_meet_talk_and_come_back() {
    let desk = Desk::start();
    let sound = sound::Room::start();
    let mut meeting = Meeting::begin(&desk, &sound.variables());
    meeting.talk();
    meeting.hide();
    sound.speak(&meeting.alice, &meeting.bob);
    meeting.come_back();
    meeting.watch();
    meeting.bob.close();
    meeting.alice.close();
}
