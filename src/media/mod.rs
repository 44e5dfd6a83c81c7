//! Pictures, camera frames and sound clips: decoding, checking, making.
//!
//! - [`jpeg`]: JPEG by libjpeg-turbo, and a cutter for streams of JPEGs;
//! - `audio`: microphones and speakers (with the feature `audio`);
//! - [`camera`]: the sources that a published camera takes its frames from;
//! - [`clip`]: WAV clips, checked before they are sent or stored;
//! - [`picture`]: still pictures of any known format, decoded under limits.
//!
//! Nothing here knows of peers or of the network.

#[cfg(feature = "audio")]
pub mod audio;
pub mod camera;
pub mod clip;
pub mod jpeg;
pub mod picture;
