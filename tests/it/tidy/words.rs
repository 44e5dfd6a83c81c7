//! Rules about any text of ours: white space, forgotten notes, and places that exist on one machine only.

use super::Fault;

/// Notes to oneself; written apart so that this file passes its own rule.
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Beginnings of paths that only one person's machine has.
const MACHINE_PATHS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("/tm", "p/bash_jobs"),
    concat!("/tm", "p/h/"),
];

/// Every fault of the text of one file.
pub(crate) fn faults(path: &str, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |line: usize, message: String| faults.push(Fault::new(path, line, message));
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        if line.contains('\t') {
            fault(number, "a tab: use spaces".to_owned());
        }
        if line.ends_with([' ', '\t', '\r']) {
            fault(number, "white space at the end of the line".to_owned());
        }
        for note in NOTES.iter().filter(|note| has_word(line, note)) {
            fault(number, format!("{note}: do it, or write an issue"));
        }
        for machine in MACHINE_PATHS.iter().filter(|machine| starts_a_path(line, machine)) {
            fault(number, format!("{machine}… is a path of one machine"));
        }
    }
    let last = text.lines().count().max(1);
    if !text.is_empty() && !text.ends_with('\n') {
        fault(last, "no newline at the end of the file".to_owned());
    }
    if text.ends_with("\n\n") {
        fault(last, "empty lines at the end of the file".to_owned());
    }
    faults
}

fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(part_of_word) && !after.starts_with(part_of_word)
    })
}

/// Does `machine` stand in the line as the beginning of a path, not as a part in its middle (`a/b`)?
fn starts_a_path(line: &str, machine: &str) -> bool {
    line.match_indices(machine).any(|(at, _)| {
        let before = line[..at].chars().next_back().unwrap_or(' ');
        !before.is_alphanumeric() && !matches!(before, '_' | '-' | '.' | '}' | '~')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        faults("a.md", text).into_iter().map(|fault| format!("{}: {}", fault.line, fault.message)).collect()
    }

    #[track_caller]
    fn one(text: &str, part: &str) {
        let found = messages(text);
        assert!(found.len() == 1 && found[0].contains(part), "{text:?}: {found:?}");
    }

    #[test]
    fn clean_text_passes() {
        assert!(messages("a b\n  c\n").is_empty());
        assert!(messages("").is_empty());
        assert!(messages(&format!("mktemp /tmp/{}{}\n", NOTES[2], NOTES[2])).is_empty());
        assert!(messages(&format!("src{}a and ~{}b\n", MACHINE_PATHS[2], MACHINE_PATHS[0])).is_empty());
    }

    #[test]
    fn white_space_is_found() {
        one("a\n\tb\n", "2: a tab");
        one("a \nb\n", "1: white space");
        one("a\r\nb\n", "1: white space");
        one("a\nb", "2: no newline");
        one("a\nb\n\n", "empty lines");
    }

    #[test]
    fn notes_and_machine_paths_are_found() {
        for note in NOTES {
            one(&format!("a\n// {note}: b\n"), "2: ");
        }
        for machine in MACHINE_PATHS {
            one(&format!("see `{machine}a`\n"), "one machine");
        }
    }
}
