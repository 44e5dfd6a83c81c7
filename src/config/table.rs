//! From the text of a table to a [`Config`], collecting every fault on the way.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::camera;
use super::fault::{Faults, Slip, shown};
use super::section::{Faulty, Section, suggest};
use super::sound::{self, SoundSettings};
use super::{
    ADDRESSES_MAX, Address, Allow, Config, ConfigError, ConfigErrors, DEFAULT_PORT, FILE_BYTES_MAX, HistorySettings,
    KEEP_DAYS_MAX, KEY_UPDATE_MINUTES_DEFAULT, KEY_UPDATE_MINUTES_MAX, LinkSettings, Me, NAME_BYTES_MAX,
    NEW_HANDSHAKE_MINUTES_DEFAULT, NEW_HANDSHAKE_MINUTES_MAX, PEERS_MAX, Peer, QUOTA_GIB_DEFAULT, QUOTA_GIB_MAX,
    absolute, default_data,
};
use crate::crypto::sm2::PublicKey;
use crate::identity::{PeerId, parse_key_line};

const TOP_KEYS: &[&str] = &["me", "peer", "link", "history", "camera", "sound"];
const ME_KEYS: &[&str] = &["name", "key", "listen", "data"];
const PEER_KEYS: &[&str] = &["name", "key", "address", "allow"];
const LINK_KEYS: &[&str] = &["key_update_minutes", "new_handshake_minutes"];
const HISTORY_KEYS: &[&str] = &["read_receipts", "keep_days", "keep_gib", "quota_gib"];
const RIGHTS: &[&str] = &["chat", "camera"];

/// What an example of `keep_days` says.
const KEEP_DAYS_EXAMPLE: u64 = 365;
/// And one of `keep_gib`.
const KEEP_GIB_EXAMPLE: u64 = 8;

const ME_NAME: &str = "name = \"alice\"";
const ME_KEY: &str = "key = \"keys/alice.pem\", the file that `miyu keygen` wrote";
const ME_LISTEN: &str = "listen = \"[::]:9999\"";
const ME_DATA: &str = "data = \"data/alice\"";
const PEER_NAME: &str = "name = \"bob\"";
const PEER_KEY: &str = "key = \"sm2:…\", the line that `miyu id` prints on that machine";
const PEER_ADDRESS: &str = "address = \"192.168.1.12:9999\", or a list of such texts";
const PEER_ALLOW: &str = "allow = [\"chat\", \"camera\"], a list that may be empty";

pub(super) fn too_long(path: &Path) -> ConfigError {
    ConfigError::new(
        path,
        None,
        format!("it is larger than {FILE_BYTES_MAX} bytes"),
        "a peer table is a short text; is this the right file?",
    )
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Config, ConfigErrors> {
    if text.len() > FILE_BYTES_MAX {
        return Err(too_long(path).into());
    }
    let mut faults = Faults::new(path, text);
    let (root, broken) = DeTable::parse_recoverable(text);
    for error in &broken {
        let span = error.span().unwrap_or_default();
        let mut what = format!("not valid TOML: {}", error.message().trim());
        if let (true, Some(key)) = (what.ends_with("duplicate key"), text.get(span.clone())) {
            what = format!("{what} {}", shown(key));
        }
        let mend = syntax_mend(&what);
        faults.add(span.start, what, mend);
    }
    // what was made of a broken text says little about what was meant: no faults on top of faults
    if let Some(errors) = faults.into_errors() {
        return Err(errors);
    }
    let mut faults = Faults::new(path, text);
    let config = read_root(root.get_ref(), path, &mut faults);
    match (config, faults.is_empty()) {
        (Some(config), true) => Ok(config),
        (_, _) => Err(faults.into_errors().unwrap_or_else(|| {
            // a part that is missing has always said why
            ConfigError::new(path, None, "it cannot be used", "compare it with the sample").into()
        })),
    }
}

fn syntax_mend(what: &str) -> &'static str {
    if what.contains("escape") {
        "write a Windows path with / or in single quotes"
    } else if what.contains("duplicate") {
        "keep one of them; each peer stands under its own [[peer]]"
    } else {
        "write `key = \"text in double quotes\"`, one a line, each peer under its own [[peer]]"
    }
}

fn read_root(root: &DeTable<'_>, path: &Path, faults: &mut Faults<'_>) -> Option<Config> {
    let top = Section { title: "the table", at: 0, table: root };
    top.refuse_unknown(TOP_KEYS, faults);
    let me = match top.section("me", "[me]", faults) {
        Ok(Some(section)) => read_me(&section, path, faults),
        Ok(None) => {
            let mend = format!("add [me] with {ME_NAME} and {ME_KEY}");
            faults.add(0, "the table has no [me]", mend);
            None
        }
        Err(Faulty) => None,
    };
    let (peers, key_lines) = read_peers(&top, me.as_ref(), faults);
    let link = match top.section("link", "[link]", faults) {
        Ok(Some(section)) => read_link(&section, faults),
        Ok(None) | Err(Faulty) => LinkSettings::default(),
    };
    let history = match top.section("history", "[history]", faults) {
        Ok(Some(section)) => read_history(&section, faults),
        Ok(None) | Err(Faulty) => HistorySettings::default(),
    };
    let camera = camera::read(&top, &folder_of(path), faults);
    let sound = match top.section("sound", "[sound]", faults) {
        Ok(Some(section)) => sound::read(&section, faults),
        Ok(None) | Err(Faulty) => SoundSettings::default(),
    };
    Some(Config { path: path.to_path_buf(), me: me?, peers, link, history, camera, sound, key_lines })
}

/// Where relative paths of the table begin.
fn folder_of(path: &Path) -> PathBuf {
    absolute(path).parent().map(Path::to_path_buf).unwrap_or_default()
}

fn read_me(section: &Section<'_, '_>, path: &Path, faults: &mut Faults<'_>) -> Option<Me> {
    section.refuse_unknown(ME_KEYS, faults);
    let folder = folder_of(path);
    let name = section.required("name", ME_NAME, faults).and_then(|(at, text)| check_name(text, at, faults));
    let key = section.required("key", ME_KEY, faults).and_then(|(at, text)| check_key_file(text, at, &folder, faults));
    let listen = match section.text("listen", ME_LISTEN, faults) {
        Ok(Some((at, text))) => check_listen(text, at, faults),
        Ok(None) => Some(SocketAddr::from((Ipv6Addr::UNSPECIFIED, DEFAULT_PORT))),
        Err(Faulty) => None,
    };
    let data = match section.text("data", ME_DATA, faults) {
        Ok(Some((at, text))) => check_path(text, at, "data", ME_DATA, &folder, faults),
        Ok(None) => name.as_ref().and_then(|name| {
            let data = default_data(name);
            if data.is_none() {
                let mend = format!("add {ME_DATA}");
                faults.add(section.at, "this account has no home folder for `data`", mend);
            }
            data
        }),
        Err(Faulty) => None,
    };
    Some(Me { name: name?, key: key?, listen: listen?, data: data? })
}

fn check_path(
    text: &str,
    at: usize,
    key: &str,
    example: &str,
    folder: &Path,
    faults: &mut Faults<'_>,
) -> Option<PathBuf> {
    if text.is_empty() || text.contains('\0') {
        let mend = format!("write a path, such as {example}");
        faults.add(at, format!("`{key}` in [me] names no path"), mend);
        return None;
    }
    Some(absolute(&folder.join(text)))
}

fn check_key_file(text: &str, at: usize, folder: &Path, faults: &mut Faults<'_>) -> Option<PathBuf> {
    let key = check_path(text, at, "key", ME_KEY, folder, faults)?;
    match std::fs::metadata(&key) {
        Ok(found) if found.is_file() => Some(key),
        Ok(_) => {
            let what = format!("`key` in [me] is no file: {}", key.display());
            faults.add(at, what, format!("name the private key file, such as {ME_KEY}"));
            None
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let what = format!("no such key file: {}", key.display());
            let mend = format!("make it with `miyu keygen --out {}`, or name the right file", key.display());
            faults.add(at, what, mend);
            None
        }
        Err(error) => {
            let what = format!("cannot look at the key file {}: {error}", key.display());
            faults.add(at, what, "make the file and its folder readable for this user");
            None
        }
    }
}

fn check_listen(text: &str, at: usize, faults: &mut Faults<'_>) -> Option<SocketAddr> {
    match text.parse::<SocketAddr>() {
        Ok(listen) if listen.port() != 0 => Some(listen),
        Ok(_) => {
            let mend = format!("choose a port that peers can dial, such as {ME_LISTEN}");
            faults.add(at, "`listen` in [me] has port 0", mend);
            None
        }
        Err(_) => {
            let what = format!("`listen` in [me] is no IP address with a port: {}", shown(text));
            let mend = format!("write {ME_LISTEN} for all addresses of this machine, or 192.168.1.10:9999 for one");
            faults.add(at, what, mend);
            None
        }
    }
}

fn check_name(text: &str, at: usize, faults: &mut Faults<'_>) -> Option<String> {
    let (slip, what, mend) = if text.is_empty() {
        (Slip::NameEmpty, "the name is empty".to_owned(), "give it a name, such as \"bob\"".to_owned())
    } else if text.len() > NAME_BYTES_MAX {
        (
            Slip::NameTooLong,
            format!("the name {} is {} bytes long", shown(text), text.len()),
            format!("shorten it to {NAME_BYTES_MAX} bytes"),
        )
    } else if let Some(bad) = text.chars().find(|&c| is_misleading(c)) {
        (
            Slip::NameMisleading,
            format!("the name {} holds the invisible character U+{:04X}", shown(text), u32::from(bad)),
            "type the name anew, with visible characters only".to_owned(),
        )
    } else if text.trim() != text {
        let what = format!("the name {} begins or ends with a space", shown(text));
        (Slip::NameMisleading, what, "take the space away".to_owned())
    } else {
        return Some(text.to_owned());
    };
    faults.add_slip(at, slip, what, mend);
    None
}

/// Control, line-breaking, direction-changing and invisible characters: with them, one name can pass for another.
fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What earlier peers have taken: names and keys with the line where they stand.
#[derive(Default)]
struct Taken {
    names: HashMap<String, usize>,
    keys: HashMap<PublicKey, (String, usize)>,
}

fn read_peers(top: &Section<'_, '_>, me: Option<&Me>, faults: &mut Faults<'_>) -> (Vec<Peer>, Vec<usize>) {
    let (mut peers, mut key_lines) = (Vec::new(), Vec::new());
    let Some((_, value)) = top.find("peer") else {
        return (peers, key_lines);
    };
    let wrong = "`peer` in the table is not a list of [[peer]]";
    let mend = "write [[peer]], in two pairs of brackets, above each peer";
    let Some(list) = value.get_ref().as_array() else {
        faults.add(value.span().start, wrong, mend);
        return (peers, key_lines);
    };
    if list.len() > PEERS_MAX {
        let what = format!("the table has {} peers", list.len());
        faults.add_slip(value.span().start, Slip::TooManyPeers, what, format!("keep it to {PEERS_MAX}"));
        return (peers, key_lines);
    }
    let mut taken = Taken::default();
    if let Some(me) = me {
        let line = top.section_line("me", faults);
        taken.names.insert(me.name.clone(), line);
    }
    for entry in list.iter() {
        let at = entry.span().start;
        let Some(table) = entry.get_ref().as_table() else {
            faults.add(at, wrong, mend);
            continue;
        };
        let section = Section { title: "[[peer]]", at, table };
        if let Some((peer, line)) = read_peer(&section, &mut taken, faults) {
            peers.push(peer);
            key_lines.push(line);
        }
    }
    (peers, key_lines)
}

fn read_peer(section: &Section<'_, '_>, taken: &mut Taken, faults: &mut Faults<'_>) -> Option<(Peer, usize)> {
    section.refuse_unknown(PEER_KEYS, faults);
    let name = section
        .required("name", PEER_NAME, faults)
        .and_then(|(at, text)| check_name(text, at, faults).map(|name| (at, name)));
    let name = name.and_then(|(at, name)| {
        let line = faults.line(at);
        if let Some(first) = taken.names.get(&name) {
            let what = format!("the name {} is taken already, on line {first}", shown(&name));
            let slip = Slip::NameTaken(name);
            faults.add_slip(at, slip, what, "give each peer, and yourself, a name of its own");
            return None;
        }
        taken.names.insert(name.clone(), line);
        Some(name)
    });
    let title = name.clone().unwrap_or_else(|| "?".to_owned());
    let key =
        section.required("key", PEER_KEY, faults).and_then(|(at, text)| check_key(text, at, &title, taken, faults));
    let addresses = read_addresses(section, faults);
    let allow = read_allow(section, faults);
    let (key, line) = key?;
    let peer = Peer { name: name?, id: PeerId::of(&key), key, addresses: addresses?, allow: allow? };
    Some((peer, line))
}

fn check_key(
    text: &str,
    at: usize,
    name: &str,
    taken: &mut Taken,
    faults: &mut Faults<'_>,
) -> Option<(PublicKey, usize)> {
    let key = match parse_key_line(text) {
        Ok(key) => key,
        Err(error) => {
            let what = format!("the key of peer {} is no SM2 public key: {error}", shown(name));
            let mend = "copy the whole line, from sm2: on, that `miyu id` prints on that machine";
            faults.add(at, what, mend);
            return None;
        }
    };
    let line = faults.line(at);
    if let Some((other, first)) = taken.keys.get(&key) {
        let what = format!("the key of peer {} is that of peer {} on line {first} too", shown(name), shown(other));
        let slip = Slip::KeyTaken { by: other.clone() };
        faults.add_slip(at, slip, what, "one of the two is a slip: ask both for the line of `miyu id`");
        return None;
    }
    taken.keys.insert(key.clone(), (name.to_owned(), line));
    Some((key, line))
}

fn read_addresses(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Vec<Address>> {
    let Some((_, value)) = section.find("address") else {
        return Some(Vec::new());
    };
    let items = match value.get_ref() {
        DeValue::String(_) => std::slice::from_ref(value),
        DeValue::Array(list) => list,
        _ => {
            section.wrong_type("address", value, "a text or a list of texts", PEER_ADDRESS, faults);
            return None;
        }
    };
    if items.len() > ADDRESSES_MAX {
        let what = format!("the peer has {} addresses", items.len());
        let slip = Slip::TooManyAddresses;
        faults.add_slip(value.span().start, slip, what, format!("keep the {ADDRESSES_MAX} best"));
        return None;
    }
    let mut addresses = Vec::new();
    let mut good = true;
    for item in items {
        let Some(text) = item.get_ref().as_str() else {
            section.wrong_type("address", item, "a text or a list of texts", PEER_ADDRESS, faults);
            good = false;
            continue;
        };
        match text.parse::<Address>() {
            Ok(address) => addresses.push(address),
            Err(error) => {
                let what = format!("the address {} cannot be used: {error}", shown(text));
                let slip = Slip::Address { text: text.to_owned(), error };
                faults.add_slip(item.span().start, slip, what, error.hint().unwrap_or_default());
                good = false;
            }
        }
    }
    good.then_some(addresses)
}

fn read_allow(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Allow> {
    let Some((_, value)) = section.find("allow") else {
        return Some(Allow::default());
    };
    let Some(list) = value.get_ref().as_array() else {
        section.wrong_type("allow", value, "a list of texts", PEER_ALLOW, faults);
        return None;
    };
    let mut allow = Allow { chat: false, camera: false };
    let mut good = true;
    for item in list.iter() {
        match item.get_ref().as_str() {
            Some("chat") => allow.chat = true,
            Some("camera") => allow.camera = true,
            Some(other) => {
                let what = format!("there is no right {} for a peer", shown(other));
                faults.add(item.span().start, what, suggest(other, RIGHTS, "rights"));
                good = false;
            }
            None => {
                section.wrong_type("allow", item, "a list of texts", PEER_ALLOW, faults);
                good = false;
            }
        }
    }
    good.then_some(allow)
}

fn read_link(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> LinkSettings {
    section.refuse_unknown(LINK_KEYS, faults);
    let mut minutes = |key: &str, default: u64, max: u64| {
        let minutes = section.whole_number(key, (default, max), "minutes", faults).unwrap_or(default);
        Duration::from_secs(minutes * 60)
    };
    LinkSettings {
        key_update: minutes("key_update_minutes", KEY_UPDATE_MINUTES_DEFAULT, KEY_UPDATE_MINUTES_MAX),
        new_handshake: minutes("new_handshake_minutes", NEW_HANDSHAKE_MINUTES_DEFAULT, NEW_HANDSHAKE_MINUTES_MAX),
    }
}

fn read_history(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> HistorySettings {
    section.refuse_unknown(HISTORY_KEYS, faults);
    let default = HistorySettings::default();
    let days = section.whole_number("keep_days", (KEEP_DAYS_EXAMPLE, KEEP_DAYS_MAX), "days", faults);
    let kept = section.whole_number("keep_gib", (KEEP_GIB_EXAMPLE, QUOTA_GIB_MAX), "GiB", faults);
    let quota = section.whole_number("quota_gib", (QUOTA_GIB_DEFAULT, QUOTA_GIB_MAX), "GiB", faults);
    let quota_gib = quota.unwrap_or(QUOTA_GIB_DEFAULT);
    if let Some(kept) = kept.filter(|kept| *kept >= quota_gib) {
        let what = format!("`keep_gib` ({kept}) in [history] is not below `quota_gib` ({quota_gib})");
        let mend = "raise quota_gib or lower keep_gib: else the store is full before anything is deleted";
        faults.add(section.find("keep_gib").map_or(section.at, |(at, _)| at), what, mend);
    }
    let read_receipts = match section.find("read_receipts") {
        None => default.read_receipts,
        Some((_, value)) => value.get_ref().as_bool().unwrap_or_else(|| {
            section.wrong_type("read_receipts", value, "true or false", "read_receipts = false", faults);
            default.read_receipts
        }),
    };
    HistorySettings {
        read_receipts,
        keep: days.map(|days| Duration::from_secs(days * 24 * 3600)),
        keep_bytes: kept.map(|gib| gib << 30),
        quota_bytes: quota.map_or(default.quota_bytes, |gib| gib << 30),
    }
}
