//! Frames on quinn streams.

use std::time::Duration;

use quinn::{RecvStream, SendStream};

use crate::wire::{self, Frame, LENGTH_BYTES, WireError};

/// A peer that opens a stream and says nothing for this long loses it.
pub(super) const FIRST_FRAME_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a frame did not come or go.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    /// The peer does not follow the protocol.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A frame of ours is over a bound.
    #[error("a frame cannot be sent: {0}")]
    Encode(WireError),
    #[error("the stream ended early: {0}")]
    Read(#[from] quinn::ReadExactError),
    #[error("the stream broke: {0}")]
    ReadBody(#[from] quinn::ReadError),
    #[error("the stream is closed: {0}")]
    Write(#[from] quinn::WriteError),
    /// The words of the peer that closed it may stand in this.
    #[error("the link is gone: {}", clean(&.0.to_string()))]
    Link(#[from] quinn::ConnectionError),
    #[error("nothing came for {} s", .0.as_secs())]
    Timeout(Duration),
}

/// Reads one frame. Not cancel-safe: a future that is dropped loses what it has read.
pub(super) async fn read<F: Frame>(stream: &mut RecvStream) -> Result<F, StreamError> {
    let mut prefix = [0; LENGTH_BYTES];
    stream.read_exact(&mut prefix).await?;
    let mut bytes = vec![0; wire::length(prefix)?];
    stream.read_exact(&mut bytes).await?;
    Ok(wire::decode(&bytes)?)
}

/// Reads one frame, at most for `limit`.
pub(super) async fn read_within<F: Frame>(stream: &mut RecvStream, limit: Duration) -> Result<F, StreamError> {
    tokio::time::timeout(limit, read(stream)).await.map_err(|_| StreamError::Timeout(limit))?
}

/// Writes one frame.
pub(super) async fn write<F: Frame>(stream: &mut SendStream, frame: &F) -> Result<(), StreamError> {
    Ok(stream.write_all(&wire::encode(frame).map_err(StreamError::Encode)?).await?)
}

/// A peer's words with control and bidi characters escaped: no log line and no terminal takes orders from them.
pub(super) fn clean(words: &str) -> String {
    let mut clean = String::with_capacity(words.len());
    for character in words.chars() {
        if character.is_control() || is_bidi(character) {
            clean.extend(character.escape_unicode());
        } else {
            clean.push(character);
        }
    }
    clean
}

fn is_bidi(character: char) -> bool {
    matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A future's result if it is ready at once.
pub(super) async fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match future.as_mut().poll(cx) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use quinn::{ApplicationClose, ConnectionError, VarInt};

    use super::*;

    #[test]
    fn the_reason_of_a_peer_forges_no_line_in_any_error() {
        let reason = b"\x1b[2Jfine\nINFO link up \xe2\x80\xaeevil".to_vec().into();
        let close = ConnectionError::ApplicationClosed(ApplicationClose { error_code: VarInt::from_u32(4), reason });
        let words = StreamError::from(close).to_string();
        assert!(words.contains("fine") && words.contains("evil"), "{words}");
        assert!(!words.contains(['\x1b', '\n', '\u{202e}']), "{words:?}");
    }
}
