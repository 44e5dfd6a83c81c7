//! What a writer does: files dropped and pasted, emoji, the last message, bounds.

use std::path::Path;
use std::sync::Arc;

use egui_kittest::kittest::Queryable;
use miyu::gui::talk::{Ask, News, Outgoing, Staged, StagedBody};
use miyu::gui::words::Language;
use miyu::node::history::Direction;

use super::conversation::talking;
use super::{asked, peer, tell, text, words};

#[derive(Debug)]
struct Dropped(std::path::PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("nobody reads it here".into())
    }
}

#[test]
fn dropped_and_pasted_files_wait_in_the_composer() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob").id;
        let mut window = talking(language, vec![text(1, Direction::In, "hi")], false);
        asked(&mut window);
        // the toolkit redraws for as long as something is held over the window
        window.input_mut().hovered_files = vec![egui::HoveredFile::default()];
        window.run_steps(3);
        window.input_mut().hovered_files.clear();
        let files =
            (0..20).map(|n| Arc::new(Dropped(format!("file{n}").into())) as Arc<dyn egui::DroppedFile + Send + Sync>);
        window.input_mut().dropped_files = files.collect();
        window.step();
        window.input_mut().dropped_files.clear();
        window.run();
        let asks = asked(&mut window);
        let staged = asks.iter().filter(|ask| matches!(ask, Ask::Stage { .. })).count();
        assert_eq!(staged, 16, "as many as there is room for");
        window.event(egui::Event::PasteImage(Arc::new(egui::ColorImage::example())));
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::StagePasted { .. }]));
        for n in 0..3 {
            let staged = Staged { name: format!("file{n}"), bytes: n, body: StagedBody::File("x".into()) };
            tell(&mut window, News::Staged { peer: bob, staged: Ok(Arc::new(staged)) });
        }
        window.get_by_label(&words.with("composer-remove", &[("name", "file1".into())])).click();
        window.run();
        window.get_by_label(&words.get("composer-send")).click();
        window.run();
        let sent: Vec<String> = asked(&mut window)
            .into_iter()
            .filter_map(|ask| match ask {
                Ask::Send { what: Outgoing::Staged(staged, None), .. } => Some(staged.name.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(sent, ["file0", "file2"]);
    }
}

#[test]
fn an_emoji_is_put_into_the_text() {
    for language in Language::ALL {
        let words = words(language);
        let mut window = talking(language, vec![text(1, Direction::In, "hi")], false);
        let hint = words.get("composer-hint");
        window.get_by_label(&hint).type_text("好");
        window.run();
        window.get_by_label(&words.get("composer-emoji")).click();
        window.run();
        window.get_by_label("🌹").click();
        window.run();
        assert_eq!(window.get_by_label(&hint).value().as_deref(), Some("好🌹"));
        assert!(window.get_by_label(&hint).is_focused());
    }
}

#[test]
fn the_arrow_up_changes_the_last_message_of_ours() {
    for language in Language::ALL {
        let words = words(language);
        let lines =
            vec![text(1, Direction::Out, "first"), text(2, Direction::Out, "secnd"), text(3, Direction::In, "hi")];
        let mut window = talking(language, lines, false);
        asked(&mut window);
        window.key_press(egui::Key::ArrowUp);
        window.run();
        let hint = words.get("composer-hint");
        assert_eq!(window.get_by_label(&hint).value().as_deref(), Some("secnd"));
        window.get_by_label(&words.get("composer-edits"));
        window.key_press(egui::Key::Escape);
        window.run();
        assert_eq!(window.get_by_label(&hint).value().unwrap_or_default(), "");
        // with something written, it moves the cursor
        window.get_by_label(&hint).type_text("new");
        window.run();
        window.key_press(egui::Key::ArrowUp);
        window.run();
        assert_eq!(window.get_by_label(&hint).value().as_deref(), Some("new"));
    }
}

#[test]
fn a_text_that_is_too_long_is_not_sent() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob").id;
        let mut window = talking(language, vec![text(1, Direction::In, "hi")], false);
        asked(&mut window);
        window.state_mut().shell.model.draft(&bob).text = "a\n".repeat(32_768) + "b";
        window.run();
        window.get_by_label(&words.with("composer-too-long", &[("over", 1.into())]));
        window.key_press(egui::Key::Enter);
        window.run();
        assert!(!asked(&mut window).iter().any(|ask| matches!(ask, Ask::Send { .. })));
        window.state_mut().shell.model.draft(&bob).text.pop();
        window.run();
        window.get_by_label(&words.with("composer-left", &[("left", 0.into())]));
        window.key_press(egui::Key::Enter);
        window.run();
        assert!(asked(&mut window).iter().any(|ask| matches!(ask, Ask::Send { .. })));
    }
}
