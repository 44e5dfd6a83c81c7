//! What ALSA's library has to say of itself goes to the log.

use std::cell::RefCell;
use std::rc::Rc;

use alsa::Output;

/// While it lives, what the library would write to stderr on this thread is kept, and then goes to the log: on a machine
/// without a sound card that is a page of its own configuration, before our one line with the mend.
pub(super) struct Quiet(Option<Rc<RefCell<Output>>>);

impl Quiet {
    pub(super) fn new() -> Self {
        Self(Output::local_error_handler().ok())
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(words) = &self.0 {
            let words = words.borrow().to_string();
            words.lines().for_each(|line| tracing::debug!("{line}"));
        }
    }
}
