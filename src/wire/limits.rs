//! The limits of the protocol, in one place. Over one of them a peer gets a refusal that names it.

/// Bytes of one frame without its length.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a text, UTF-8.
pub const TEXT_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a reaction, UTF-8.
pub const REACTION_BYTES_MAX: u64 = 64;
/// Bytes of a picture.
pub const PICTURE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of a voice clip.
pub const CLIP_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of a file.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// Bytes of one camera frame.
pub const CAMERA_FRAME_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Pixels along one side of a camera frame.
pub const CAMERA_SIDE_PIXELS_MAX: u32 = 16_384;
/// Bytes of a file name, UTF-8.
pub const NAME_BYTES_MAX: usize = 255;
/// Bytes of a media type.
pub const MIME_BYTES_MAX: usize = 127;
/// Bytes of a sentence from the peer (a refusal's detail, a farewell).
pub const DETAIL_BYTES_MAX: usize = 1_024;
/// Bytes of the name of the other side's software.
pub const AGENT_BYTES_MAX: usize = 64;
