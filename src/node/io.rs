//! Frames on streams: quinn's, or those of a [`super::script`].

use std::time::Duration;

use bytes::Bytes;
use quinn::{ReadError, ReadExactError, RecvStream, SendStream, VarInt, WriteError};

use super::text::one_line;
use crate::wire::{self, Frame, LENGTH_BYTES, WireError};

/// A peer that opens a stream and says nothing for this long loses it.
pub(super) const FIRST_FRAME_TIMEOUT: Duration = Duration::from_secs(10);

/// A peer that takes no byte of a frame for this long has given its stream up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

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
    #[error("the link is gone: {}", one_line(&.0.to_string()))]
    Link(#[from] quinn::ConnectionError),
    #[error("nothing came for {} s", .0.as_secs())]
    Timeout(Duration),
    #[error("the peer took nothing for {} s", WRITE_TIMEOUT.as_secs())]
    NotTaken,
}

/// The half of a stream that is read.
pub(super) trait ReadHalf: Send + 'static {
    /// Fills `bytes`.
    fn read_exact(&mut self, bytes: &mut [u8]) -> impl Future<Output = Result<(), ReadExactError>> + Send;
    /// What has come, `bytes_max` bytes of it at most; `None` at the end.
    fn read_chunk(&mut self, bytes_max: usize) -> impl Future<Output = Result<Option<Bytes>, ReadError>> + Send;
    /// Tells the other side that nothing more is read.
    fn stop(&mut self, code: VarInt);
}

/// The half of a stream that is written.
pub(super) trait WriteHalf: Send + 'static {
    fn set_priority(&self, priority: i32);
    fn write_all(&mut self, bytes: &[u8]) -> impl Future<Output = Result<(), WriteError>> + Send;
    /// Nothing more comes.
    fn finish(&mut self) -> Result<(), WriteError>;
    /// What was not sent yet is not sent any more.
    fn reset(&mut self, code: VarInt);
    /// Resolves once the other side has all, wants no more, or is gone.
    fn done(&mut self) -> impl Future<Output = ()> + Send;
}

impl ReadHalf for RecvStream {
    async fn read_exact(&mut self, bytes: &mut [u8]) -> Result<(), ReadExactError> {
        RecvStream::read_exact(self, bytes).await
    }

    async fn read_chunk(&mut self, bytes_max: usize) -> Result<Option<Bytes>, ReadError> {
        Ok(RecvStream::read_chunk(self, bytes_max, true).await?.map(|chunk| chunk.bytes))
    }

    fn stop(&mut self, code: VarInt) {
        let _ = RecvStream::stop(self, code);
    }
}

impl WriteHalf for SendStream {
    fn set_priority(&self, priority: i32) {
        let _ = SendStream::set_priority(self, priority);
    }

    async fn write_all(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        SendStream::write_all(self, bytes).await
    }

    fn finish(&mut self) -> Result<(), WriteError> {
        SendStream::finish(self).map_err(|_| WriteError::ClosedStream)
    }

    fn reset(&mut self, code: VarInt) {
        let _ = SendStream::reset(self, code);
    }

    async fn done(&mut self) {
        let _ = self.stopped().await;
    }
}

/// Reads one frame. Not cancel-safe: a future that is dropped loses what it has read.
pub(super) async fn read<F: Frame>(stream: &mut impl ReadHalf) -> Result<F, StreamError> {
    let mut prefix = [0; LENGTH_BYTES];
    stream.read_exact(&mut prefix).await?;
    let mut bytes = vec![0; wire::length(prefix)?];
    stream.read_exact(&mut bytes).await?;
    Ok(wire::decode(&bytes)?)
}

/// Reads one frame, at most for `limit`.
pub(super) async fn read_within<F: Frame>(stream: &mut impl ReadHalf, limit: Duration) -> Result<F, StreamError> {
    tokio::time::timeout(limit, read(stream)).await.map_err(|_| StreamError::Timeout(limit))?
}

/// Writes one frame, at most for [`WRITE_TIMEOUT`]: a peer may keep its link and give a stream no room.
pub(super) async fn write<F: Frame>(stream: &mut impl WriteHalf, frame: &F) -> Result<(), StreamError> {
    let bytes = wire::encode(frame).map_err(StreamError::Encode)?;
    Ok(tokio::time::timeout(WRITE_TIMEOUT, stream.write_all(&bytes)).await.map_err(|_| StreamError::NotTaken)??)
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
