//! The catalogues are complete: the same keys with the same values in each, every key used, every used key there, every
//! character in the bundled fonts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use miyu::gui::look;
use miyu::gui::panels::{emoji, message_menu};

/// Keys of a catalogue, each with the names of the values that its text takes, and `.mend` where it says what to do.
fn keys(file: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = read(&format!("assets/i18n/{file}"));
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        let begins = line.starts_with(|c: char| c.is_ascii_lowercase());
        if let Some((key, _)) = line.split_once(" =").filter(|_| begins) {
            last = key.to_owned();
            assert!(keys.insert(last.clone(), BTreeSet::new()).is_none(), "{file}: {key} stands there twice");
        }
        if line.starts_with("    .mend =") {
            keys.get_mut(&last).unwrap().insert(".mend".to_owned());
        }
        for part in line.split("{ $").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            keys.get_mut(&last).unwrap().insert(name);
        }
    }
    keys
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn sources(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

fn code() -> String {
    let mut code = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gui"), &mut code);
    code
}

#[test]
fn both_catalogues_have_the_same_keys_and_values() {
    let (english, chinese) = (keys("en.ftl"), keys("zh-CN.ftl"));
    assert!(english.len() > 80, "only {} keys were read", english.len());
    for (key, values) in &english {
        let other = chinese.get(key).unwrap_or_else(|| panic!("{key} is missing in Chinese"));
        assert_eq!(values, other, "{key} takes other values in Chinese");
    }
    for key in chinese.keys() {
        assert!(english.contains_key(key), "{key} is missing in English");
    }
}

#[test]
fn every_key_is_used_and_every_used_key_is_there() {
    let (keys, code) = (keys("en.ftl"), code());
    for key in keys.keys() {
        assert!(code.contains(&format!("\"{key}\"")), "nothing shows {key}");
    }
    for call in [".get(\"", ".with(\"", "Said::new(\"", "Fault::file(\""] {
        for part in code.split(call).skip(1) {
            let key = part.split('"').next().unwrap();
            // `get` of maps and documents have keys of one word
            if key.contains('-') && key != "no-such-key" {
                assert!(keys.contains_key(key), "{key} is in no catalogue");
            }
        }
    }
}

#[test]
fn every_text_is_in_the_bundled_fonts() {
    let ctx = egui::Context::default();
    look::bundled_fonts(&ctx);
    ctx.run_ui(egui::RawInput::default(), |_| {}).textures_delta.clear();
    let mut texts = vec!["➕🔑⚙❓ℹ✔−+✖📷🔒🔓🎵📄🖼📁📎⬆⬇⬅…·👥💬✉🔍😊↑⏹🎤▶⏸⏺○⛶🗙❤⚠↔←→".to_owned()];
    texts.extend(emoji::EMOJI.iter().chain(&message_menu::REACTIONS).map(ToString::to_string));
    texts.extend(["en.ftl", "zh-CN.ftl"].map(|file| read(&format!("assets/i18n/{file}"))));
    let font = egui::FontId::proportional(14.0);
    let missing: String = texts
        .iter()
        .flat_map(|text| text.chars())
        .filter(|c| !c.is_whitespace() && !ctx.fonts_mut(|fonts| fonts.has_glyph(&font, *c)))
        .collect();
    assert_eq!(missing, "");
}
