//! Devices that a kernel makes up: vivid, a camera, and snd-aloop, a sound card. The machine that runs this kernel is
//! emulated, so that it is the same everywhere and needs no rights; all this is ignored in an ordinary run, and
//! `./x vm` makes the machine and runs it.

mod camera;
mod controls;
mod guest;
mod sound;
