//! The pictures of the app in `docs/images`, from a scene that is played anew each time: `./x screenshots`.

use std::path::{Path, PathBuf};

use miyu::gui::words::Language;

use super::app::App;
use super::desk::{Desk, step};
use super::people::{Camera, add, add_later, attach, first_start, free_port, open, photo, say, stamp};

/// What is said in a language.
struct Scene {
    language: Language,
    /// The end of the pictures' names.
    suffix: &'static str,
    theme: &'static str,
    alice: &'static str,
    bob: &'static str,
    garden: &'static str,
    kitchen: &'static str,
    /// By alice and bob in turn.
    said: [&'static str; 4],
    hidden: &'static str,
    last: &'static str,
}

const SCENES: [Scene; 2] = [
    Scene {
        language: Language::English,
        suffix: "en",
        theme: "settings-dark",
        alice: "alice",
        bob: "bob",
        garden: "garden camera",
        kitchen: "kitchen camera",
        said: [
            "Are you still at the café?",
            "Yes, the coffee here is wonderful ☕",
            "Send me a picture?",
            "Here. Look closely, there is more in it than you see.",
        ],
        hidden: "Dinner at eight, you choose the place.",
        last: "Found it 😄 Eight is fine!",
    },
    Scene {
        language: Language::Chinese,
        suffix: "zh",
        theme: "settings-light",
        alice: "爱丽丝",
        bob: "鲍勃",
        garden: "花园摄像头",
        kitchen: "厨房摄像头",
        said: ["你还在咖啡馆吗？", "在呢，这里的咖啡真香 ☕", "拍张照片给我看看？", "给你。仔细看，里面还有别的。"],
        hidden: "晚上八点一起吃饭，地方你定。",
        last: "找到了 😄 八点见！",
    },
];

/// Keeps what a window shows; the pointer is out of the way.
fn keep(desk: &Desk, app: &App<'_>, folder: &Path, name: &str, scene: &Scene) {
    desk.xdotool(&["mousemove", "2079", "799"]).unwrap();
    app.settled();
    let path = folder.join(format!("{name}-{}.png", scene.suffix));
    std::fs::write(&path, desk.png(&app.window).unwrap()).unwrap();
    step(&format!("{}", path.display()));
}

fn choose_theme(app: &App<'_>, scene: &Scene) {
    app.press(&app.word("settings-title"));
    app.press(&format!("{}: {}", app.word("settings-theme"), app.words.get(scene.theme)));
    app.press(&app.word("dialog-close"));
}

fn play(scene: &Scene, folder: &Path) {
    let desk = Desk::start();
    let (mut alice, mut bob) =
        (App::new(&desk, "alice", scene.language, 10), App::new(&desk, "bob", scene.language, 1040));
    let (alice_port, bob_port) = (free_port(), free_port());
    alice.start();
    alice.paste(&alice.word("start-name"), scene.alice);
    keep(&desk, &alice, folder, "first-start", scene);
    let alice_line = first_start(&mut alice, scene.alice, alice_port);
    let bob_line = first_start(&mut bob, scene.bob, bob_port);
    add(&alice, scene.bob, &bob_line, &format!("127.0.0.1:{bob_port}"));
    add(&bob, scene.alice, &alice_line, "");
    choose_theme(&alice, scene);
    let pictures = desk.folder().join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    image::open(photo()).unwrap().save(pictures.join("photo.jpg")).unwrap();
    let sources = [(scene.garden, "test"), (scene.kitchen, pictures.to_str().unwrap())];
    let mut cameras = sources.map(|(name, source)| {
        let camera = Camera::new(desk.folder().join(name), source, &[("alice", &alice_line)]);
        add_later(&alice, name, &camera.line, &format!("127.0.0.1:{}", camera.port));
        camera
    });
    cameras.iter_mut().for_each(Camera::start);

    open(&alice, scene.bob);
    open(&bob, scene.alice);
    for (turn, text) in scene.said.iter().enumerate() {
        let (from, to) = if turn % 2 == 0 { (&alice, &bob) } else { (&bob, &alice) };
        say(from, text);
        to.shows(text);
    }
    attach(&bob, &photo());
    bob.press(&bob.word("composer-hide"));
    bob.paste(&bob.word("composer-hidden"), scene.hidden);
    bob.press(&bob.word("composer-send"));
    // Until it is decoded, another height stands for it.
    alice.shows(&alice.words.with("picture-open", &[("name", "photo.png".into())]));
    alice.press_with(&alice.word("hidden-open"));
    alice.shows(scene.hidden);
    say(&alice, scene.last);
    bob.shows(scene.last);
    alice.shows(&alice.word("state-read"));
    keep(&desk, &alice, folder, "conversation", scene);
    let name = [("name", scene.garden.into())];
    alice.press(&alice.words.with("camera-open", &name));
    alice.press(&alice.word("camera-all"));
    alice.shows(&alice.words.with("camera-picture", &[("name", scene.kitchen.into())]));
    let label = alice.words.with("camera-picture", &name);
    alice.wait("the camera", |app| stamp(app, &label));
    // The figures of the small pictures are gone when both tiles tell of half of their cameras' size.
    alice.wait("the figures of both", |app| {
        let all = app.widgets();
        let told = all.iter().filter(|widget| widget.name.starts_with("320 × 180") && !widget.name.contains(" 0.0"));
        (told.count() == 2).then_some(())
    });
    keep(&desk, &alice, folder, "camera", scene);
    alice.close();
    bob.close();
}

#[test]
#[ignore = "needs an X server and more: ./x screenshots"]
fn are_made_anew() {
    let folder = std::env::var_os("MIYU_PICTURES").map(PathBuf::from);
    let folder = folder.expect("MIYU_PICTURES names no folder: ./x screenshots does");
    for scene in &SCENES {
        play(scene, &folder);
    }
}
