//! Whose comment is it? What stands right above a `[[peer]]` is about that peer and goes with it; what an empty line keeps
//! apart is about the file, and stays.

use toml_edit::Table;

/// The part of what stands above the table that is not about it: up to the last empty line, if there is a comment in it.
pub(super) fn not_its_own(table: &Table) -> String {
    let above = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    let end = last_empty_line(above).unwrap_or(0);
    let kept = above.get(..end).unwrap_or_default();
    if kept.contains('#') { kept.to_owned() } else { String::new() }
}

/// Puts `kept` above what stands above the table.
pub(super) fn put_above(table: &mut Table, kept: &str) {
    if kept.is_empty() {
        return;
    }
    let above = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    let above = format!("{kept}{above}");
    table.decor_mut().set_prefix(above);
}

/// The byte where the last empty line begins.
fn last_empty_line(text: &str) -> Option<usize> {
    let mut at = 0;
    let mut found = None;
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() && line.ends_with('\n') {
            found = Some(at);
        }
        at += line.len();
    }
    found
}
