//! Where a peer is dialled, when that changes: what is written among the addresses stays.

use toml_edit::{Array, RawString, Value};

/// Puts `wanted` into the list. An address that stays keeps what stands around it; comments around one that goes stay
/// where they were, as nobody can tell what they are about.
pub(super) fn replace(list: &mut Array, wanted: &[String]) {
    let (indent, mut trailing) = (indent(list), text(Some(list.trailing())));
    let mut old: Vec<Value> = list.iter().cloned().collect();
    // comments of those that went
    let mut loose = String::new();
    old.retain_mut(|value| {
        let before = text(value.decor().prefix());
        if value.as_str().is_some_and(|address| wanted.iter().any(|wanted| wanted == address)) {
            value.decor_mut().set_prefix(std::mem::take(&mut loose) + &before);
            return true;
        }
        let behind = text(value.decor().suffix());
        if before.contains('#') || behind.contains('#') {
            loose = std::mem::take(&mut loose) + &before + &behind;
        }
        false
    });
    if !loose.is_empty() {
        trailing = loose + &trailing;
    }
    list.clear();
    for address in wanted {
        let at = old.iter().position(|value| value.as_str() == Some(address));
        let value = at.map(|at| old.remove(at)).unwrap_or_else(|| {
            let mut value = Value::from(address.as_str());
            let prefix = if trailing.contains('#') {
                // the comment is about what stands before it
                let comment = std::mem::take(&mut trailing);
                "\n".clone_into(&mut trailing);
                format!("{}\n{}", comment.trim_end(), indent.as_deref().unwrap_or_default())
            } else {
                match &indent {
                    Some(indent) => format!("\n{indent}"),
                    None if list.is_empty() => String::new(),
                    None => " ".to_owned(),
                }
            };
            value.decor_mut().set_prefix(prefix);
            value
        });
        list.push_formatted(value);
    }
    list.set_trailing(trailing);
}

/// What stands before an address on a line of its own; `None` where they stand in one line.
fn indent(list: &Array) -> Option<String> {
    let last = list.iter().last()?;
    let before = text(last.decor().prefix());
    before.rfind('\n').map(|line| before[line + 1..].to_owned())
}

fn text(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str).unwrap_or_default().to_owned()
}
