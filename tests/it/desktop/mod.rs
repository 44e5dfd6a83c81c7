//! The desktop app as people use it: real windows under an X server without a screen, a window manager, a mouse and a
//! keyboard. What the windows show is read from what they tell screen readers.
//!
//! It needs more than an ordinary run has, so it is ignored there; `./x desktop` installs that and runs it.

mod app;
mod desk;
mod people;
mod pictures;

use miyu::gui::words::Language;

use app::App;
use desk::{Desk, step};
use people::{add, attach, first_start, free_port, harbour, open, say};

/// What alice hides in a picture.
const HIDDEN: &str = "今晚八点，老地方见。";

#[test]
#[ignore = "needs an X server and more: ./x desktop"]
fn two_people_meet_talk_and_come_back() {
    let desk = Desk::start();
    let (mut alice, mut bob) =
        (App::new(&desk, "alice", Language::Chinese, 10), App::new(&desk, "bob", Language::English, 1040));
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

    step("text both ways");
    open(&alice, "bob");
    say(&alice, "你好，鲍勃！收到了吗？");
    bob.shows("你好，鲍勃！收到了吗？");
    open(&bob, "爱丽丝");
    alice.shows(&alice.word("state-read"));
    say(&bob, "收到了。明天见😄");
    alice.shows("收到了。明天见😄");
    bob.shows(&bob.word("state-delivered"));

    step("a picture with a hidden text");
    attach(&alice, &harbour(&alice.home));
    alice.press(&alice.word("composer-hide"));
    alice.paste(&alice.word("composer-hidden"), HIDDEN);
    alice.press(&alice.word("composer-send"));
    bob.shows(&bob.words.with("picture-open", &[("name", "harbour.png".into())]));
    assert!(bob.widgets().iter().all(|widget| !widget.name.contains(HIDDEN)), "it is hidden until it is opened");
    bob.press_with(&bob.word("hidden-open"));
    bob.shows(HIDDEN);

    step("closing, and what was said is there at the next start");
    let took = bob.close();
    step(&format!("bob's window was gone after {} ms", took.as_millis()));
    alice.shows(&format!("bob, {}", alice.word("peers-away")));
    bob.start();
    open(&bob, "爱丽丝");
    bob.shows("你好，鲍勃！收到了吗？");
    bob.shows("收到了。明天见😄");
    alice.shows(&format!("bob, {}", alice.word("peers-here")));
    bob.close();
    alice.close();
}
