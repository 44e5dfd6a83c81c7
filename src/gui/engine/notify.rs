//! Notifications outside of the window.

use crate::gui::talk::Notification;

/// How long the desktop may show one, in ms; what it makes of that is its own affair.
#[cfg(target_os = "linux")]
const SHOWN_MS: i32 = 8_000;

/// Tells the desktop (Desktop Notifications Specification 1.2, §9.1.2.5 "Notify"). A desktop without that service tells
/// nobody, and nothing is wrong with that: the window has the message. Blocking.
#[cfg(target_os = "linux")]
pub(super) fn tell(notification: &Notification) {
    use std::collections::HashMap;

    const SERVICE: &str = "org.freedesktop.Notifications";
    let told = zbus::blocking::Connection::session().and_then(|connection| {
        let (actions, hints): (Vec<&str>, HashMap<&str, zbus::zvariant::Value<'_>>) = Default::default();
        // The body may be read as markup there.
        let body = notification.body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let arguments = ("miyu", 0u32, "", notification.title.as_str(), body.as_str(), actions, hints, SHOWN_MS);
        let path = "/org/freedesktop/Notifications";
        connection.call_method(Some(SERVICE), path, Some(SERVICE), "Notify", &arguments)
    });
    if let Err(error) = told {
        tracing::debug!(%error, "the desktop takes no notifications");
    }
}

/// Not known for this system yet.
#[cfg(not(target_os = "linux"))]
pub(super) fn tell(notification: &Notification) {
    tracing::debug!(bytes = notification.body.len(), "notifications are not made on this system yet");
}
