//! Changes to the peer table in its file: what a person wrote there, comments and order among it, stays as it is.
//!
//! [`change`] is pure: text to text. [`write`] reads, changes, checks and puts the file in place in one step. A change
//! that would leave a table with a fault is refused: the file always holds a [`Config`].

mod addresses;
mod comments;
mod disk;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::{Allow, Config};

pub use disk::{EditError, create, write, write_as};

/// One change of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Another peer, behind the last one.
    Add(Entry),
    /// A peer goes, with the comment that stands right above it.
    Remove {
        /// Its name.
        name: String,
    },
    /// A peer is called otherwise here.
    Rename {
        /// Its name so far.
        name: String,
        /// Its name from now on.
        to: String,
    },
    /// A peer may do something else to us.
    Allow {
        /// Its name.
        name: String,
        /// All that it may do.
        allow: Allow,
    },
    /// A peer is to be dialled elsewhere.
    Addresses {
        /// Its name.
        name: String,
        /// Where, in the table's form; none for a peer that only dials us.
        addresses: Vec<String>,
    },
}

/// A peer to be added, as it is typed: checked when the table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is called here.
    pub name: String,
    /// Its public key line.
    pub key: String,
    /// Where to dial it; none for a peer that only dials us.
    pub addresses: Vec<String>,
    /// What it may do.
    pub allow: Allow,
}

/// The text of a table with the changes made, checked as the table that stands in `path`.
///
/// # Errors
/// [`EditError::Faulty`] when the text was no table before; [`EditError::NoPeer`]; [`EditError::Refused`] when it would be
/// none afterwards.
pub fn change(text: &str, path: &Path, changes: &[Change]) -> Result<(String, Config), EditError> {
    Config::parse(text, path).map_err(EditError::Faulty)?;
    // What `toml` reads, `toml_edit` reads: they share their parser.
    let mut document: DocumentMut = text.parse().map_err(|error| EditError::Unreadable(format!("{error}")))?;
    for change in changes {
        make(&mut document, change)?;
    }
    let text = document.to_string();
    let config = Config::parse(&text, path).map_err(|faults| EditError::Refused(faults.faults().to_vec()))?;
    Ok((text, config))
}

/// A first table: ourselves, no peer yet. `key` as it is to stand there, relative to the table or absolute.
///
/// # Errors
/// [`EditError::Refused`], such as for a name that is empty.
pub fn first(path: &Path, name: &str, key: &str, listen: Option<SocketAddr>) -> Result<String, EditError> {
    let mut me = Table::new();
    me.insert("name", text_value(name));
    me.insert("key", text_value(key));
    if let Some(listen) = listen {
        me.insert("listen", text_value(&listen.to_string()));
    }
    me.decor_mut().set_prefix("# The peer table of miyu: who you are, whom you know, and what they may do.\n\n");
    let mut document = DocumentMut::new();
    document.insert("me", Item::Table(me));
    let text = document.to_string();
    Config::parse(&text, path).map_err(|faults| EditError::Refused(faults.faults().to_vec()))?;
    Ok(text)
}

/// Where the table in `text` says that our private key lies, whether there is such a file or not.
pub fn key_path(text: &str, path: &Path) -> Option<PathBuf> {
    let document: DocumentMut = text.parse().ok()?;
    let key = document.get("me")?.get("key")?.as_str().filter(|key| !key.is_empty() && !key.contains('\0'))?;
    let folder = super::absolute(path).parent().map(Path::to_path_buf).unwrap_or_default();
    Some(super::absolute(&folder.join(key)))
}

fn make(document: &mut DocumentMut, change: &Change) -> Result<(), EditError> {
    match change {
        Change::Add(entry) => add(document, entry),
        Change::Remove { name } => return remove(document, name),
        Change::Rename { name, to } => set(peer(document, name)?, "name", text_item(to)),
        Change::Allow { name, allow } => set(peer(document, name)?, "allow", Value::Array(rights(*allow))),
        Change::Addresses { name, addresses } => {
            let peer = peer(document, name)?;
            let list = peer.get_mut("address").and_then(Item::as_array_mut);
            if let Some(list) = list.filter(|_| !addresses.is_empty()) {
                addresses::replace(list, addresses);
                return Ok(());
            }
            match addresses_value(addresses) {
                Some(value) => set(peer, "address", value),
                None => drop(peer.remove("address")),
            }
        }
    }
    Ok(())
}

/// The table of the peer called `name`.
fn peer<'d>(document: &'d mut DocumentMut, name: &str) -> Result<&'d mut dyn TableLike, EditError> {
    let none = || EditError::NoPeer(name.to_owned());
    let found: Option<&mut dyn TableLike> = match document.get_mut("peer").ok_or_else(none)? {
        Item::ArrayOfTables(peers) => {
            peers.iter_mut().find(|peer| is(*peer, name)).map(|peer| peer as &mut dyn TableLike)
        }
        Item::Value(Value::Array(peers)) => peers
            .iter_mut()
            .filter_map(Value::as_inline_table_mut)
            .find(|peer| is(*peer, name))
            .map(|peer| peer as &mut dyn TableLike),
        _ => None,
    };
    found.ok_or_else(none)
}

fn is(peer: &dyn TableLike, name: &str) -> bool {
    peer.get("name").and_then(Item::as_str) == Some(name)
}

/// Puts a value in the place of another one and keeps what stands around it, such as a comment behind it.
fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => drop(table.insert(key, Item::Value(value))),
    }
}

fn add(document: &mut DocumentMut, entry: &Entry) {
    let values = |table: &mut dyn TableLike| {
        table.insert("name", text_value(&entry.name));
        table.insert("key", text_value(&entry.key));
        if let Some(addresses) = addresses_value(&entry.addresses) {
            table.insert("address", Item::Value(addresses));
        }
        if entry.allow != Allow::default() {
            table.insert("allow", Item::Value(Value::Array(rights(entry.allow))));
        }
    };
    // `peer = []`, written so by hand, is turned into the usual form while it is empty
    if document.get("peer").and_then(Item::as_array).is_some_and(Array::is_empty) {
        document.remove("peer");
    }
    match document.entry("peer").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new())) {
        Item::Value(Value::Array(peers)) => {
            let mut peer = InlineTable::new();
            values(&mut peer);
            peers.push(Value::InlineTable(peer));
        }
        Item::ArrayOfTables(peers) => {
            let mut peer = Table::new();
            values(&mut peer);
            peer.decor_mut().set_prefix("\n");
            peers.push(peer);
        }
        // `peer` of another type is a fault, and there was none
        _ => {}
    }
}

fn remove(document: &mut DocumentMut, name: &str) -> Result<(), EditError> {
    let none = || EditError::NoPeer(name.to_owned());
    match document.get_mut("peer").ok_or_else(none)? {
        Item::ArrayOfTables(peers) => {
            let at = peers.iter().position(|peer| is(peer, name)).ok_or_else(none)?;
            let removed = peers.remove(at);
            let kept = comments::not_its_own(&removed);
            let next = peers.get_mut(at);
            match next {
                Some(next) => comments::put_above(next, &kept),
                None => {
                    let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
                    document.set_trailing(format!("{kept}{trailing}"));
                }
            }
        }
        Item::Value(Value::Array(peers)) => {
            let named = |peer: &Value| peer.as_inline_table().is_some_and(|peer| is(peer, name));
            let at = peers.iter().position(named).ok_or_else(none)?;
            peers.remove(at);
        }
        _ => return Err(none()),
    }
    Ok(())
}

fn text_item(text: &str) -> Value {
    Value::from(text)
}

fn text_value(text: &str) -> Item {
    Item::Value(text_item(text))
}

fn rights(allow: Allow) -> Array {
    [("chat", allow.chat), ("camera", allow.camera)].iter().filter(|(_, may)| *may).map(|(right, _)| *right).collect()
}

/// One address as a text, several as a list.
fn addresses_value(addresses: &[String]) -> Option<Value> {
    match addresses {
        [] => None,
        [only] => Some(text_item(only)),
        several => Some(Value::Array(several.iter().map(String::as_str).collect())),
    }
}

#[cfg(test)]
mod tests;
