//! From a draft to the outbox: checked, made into what will be sent, and on disk before the sender hears its id.

use std::path::Path;
use std::sync::Arc;

use rand_core::Rng;

use super::hidden::{self, Between, HiddenError};
use super::outgoing::new_lease;
use super::shared::{Shared, lock, now_ms};
use super::table::Entry;
use super::types::{Draft, DraftKind, Role, SendError};
use crate::identity::{Identity, system_rng};
use crate::media::{clip, picture};
use crate::store::{self, Body, Direction, MessageId, NewOutgoing, Target};
use crate::wire::limits::{
    CLIP_BYTES_MAX, FILE_BYTES_MAX, NAME_BYTES_MAX, PICTURE_BYTES_MAX, REACTION_BYTES_MAX, TEXT_BYTES_MAX,
};

/// Puts a draft into the outbox and wakes the sender.
pub(super) async fn enqueue(shared: &Arc<Shared>, name: &str, draft: Draft) -> Result<MessageId, SendError> {
    let peer = shared.entry(name).ok_or_else(|| SendError::NoPeer(name.to_owned()))?;
    let state = &peer.state;
    let mut random = [0; 10];
    system_rng().fill_bytes(&mut random);
    let id = MessageId::new(u64::try_from(now_ms()).unwrap_or(0), random);
    let preparer = (shared.identity.clone(), peer.clone());
    let prepared = tokio::task::spawn_blocking(move || prepare(&preparer.0, &preparer.1, id, draft));
    let message = prepared.await.map_err(|error| SendError::Picture(error.to_string()))??;
    // A one-shot command delivers its own message itself, beside a `run` on the same folder.
    let own = shared.settings.role == Role::OneShot;
    let lease = own.then(|| new_lease(shared));
    let stored = shared.blocking(move |store| store.enqueue(message, now_ms(), lease)).await?;
    if own {
        lock(&state.own).push(stored);
    }
    state.outbox.notify_one();
    state.dial_now.notify_one();
    Ok(id)
}

/// Checks a draft and makes its body. Blocking: pictures are decoded here.
fn prepare(me: &Identity, peer: &Entry, id: MessageId, draft: Draft) -> Result<NewOutgoing, SendError> {
    let mut new = NewOutgoing {
        id,
        peer: peer.id,
        kind: store::Kind::Text,
        text: None,
        hidden: None,
        name: draft.name.map(|name| short_name(&name)),
        mime: None,
        target: draft.reply_to,
        body: Body::Text(String::new()),
    };
    match draft.kind {
        DraftKind::Text(text) => {
            bounded("the text", text.len() as u64, TEXT_BYTES_MAX)?;
            new.body = Body::Text(text);
        }
        DraftKind::Picture { bytes, hide } => prepare_picture(&mut new, me, peer, bytes, hide)?,
        DraftKind::Clip(bytes) => {
            bounded("the clip", bytes.len() as u64, CLIP_BYTES_MAX)?;
            clip::check(&bytes).map_err(|error| SendError::Clip(error.to_string()))?;
            new.kind = store::Kind::Clip;
            new.mime = Some("audio/wav".to_owned());
            new.body = Body::Bytes(bytes);
        }
        DraftKind::File(path) => {
            // A file that is not there is told by the store, with its path.
            let bytes = std::fs::metadata(&path).map_or(0, |data| data.len());
            if bytes > FILE_BYTES_MAX {
                return Err(SendError::TooLarge { what: "the file", bytes, bytes_max: FILE_BYTES_MAX });
            }
            new.kind = store::Kind::File;
            new.body = Body::File(path);
        }
        DraftKind::Edit { of, text } => {
            bounded("the text", text.len() as u64, TEXT_BYTES_MAX)?;
            new.kind = store::Kind::Edit;
            new.target = Some(Target { direction: Direction::Out, id: of });
            new.body = Body::Text(text);
        }
        DraftKind::Delete { of } => {
            new.kind = store::Kind::Deletion;
            new.target = Some(Target { direction: Direction::Out, id: of });
        }
        DraftKind::React { to, text } => {
            let (what, bytes) = ("the reaction", text.len() as u64);
            if bytes > REACTION_BYTES_MAX {
                return Err(SendError::TooLarge { what, bytes, bytes_max: REACTION_BYTES_MAX });
            }
            new.kind = store::Kind::Reaction;
            new.target = Some(to);
            new.body = Body::Text(text);
        }
    }
    Ok(new)
}

fn prepare_picture(
    new: &mut NewOutgoing,
    me: &Identity,
    peer: &Entry,
    mut bytes: Vec<u8>,
    hide: Option<String>,
) -> Result<(), SendError> {
    bounded("the picture", bytes.len() as u64, PICTURE_BYTES_MAX)?;
    match &hide {
        Some(text) => {
            // What leaves is a PNG, whatever came in.
            let png = |name: String| Path::new(&name).with_extension("png").to_string_lossy().into_owned();
            new.name = new.name.take().map(png);
            bytes = hidden::hide(Between { me, peer: &peer.key, message: new.id }, &bytes, text)?.png;
            bounded("the picture as PNG", bytes.len() as u64, PICTURE_BYTES_MAX)?;
        }
        None => {
            picture::decode(&bytes).map_err(|error| SendError::Picture(error.to_string()))?;
        }
    }
    new.kind = store::Kind::Picture;
    new.mime = picture::mime(&bytes).map(str::to_owned);
    new.hidden = hide;
    new.body = Body::Bytes(bytes);
    Ok(())
}

fn bounded(what: &'static str, bytes: u64, bytes_max: u64) -> Result<(), SendError> {
    match bytes {
        0 => Err(SendError::Empty(what)),
        bytes if bytes > bytes_max => Err(SendError::TooLarge { what, bytes, bytes_max }),
        _ => Ok(()),
    }
}

impl From<HiddenError> for SendError {
    fn from(error: HiddenError) -> Self {
        match error {
            HiddenError::DoesNotFit { bytes, capacity } => Self::DoesNotFit { bytes, capacity },
            HiddenError::TooLong { bytes } => Self::TooLarge {
                what: "the hidden text",
                bytes: bytes as u64,
                bytes_max: hidden::HIDDEN_BYTES_MAX as u64,
            },
            HiddenError::Empty => Self::Empty("the hidden text"),
            other => Self::Picture(other.to_string()),
        }
    }
}

/// The wire takes names of 255 bytes at most; a longer one is cut at a character, its extension kept.
fn short_name(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let extension = Path::new(name).extension().and_then(|text| text.to_str()).filter(|text| text.len() <= 16);
    let suffix = extension.map(|text| format!(".{text}")).unwrap_or_default();
    let mut end = NAME_BYTES_MAX - suffix.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}
