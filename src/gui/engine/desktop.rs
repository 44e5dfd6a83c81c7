//! What the desktop is asked to show. Blocking.

use std::path::Path;
use std::process::{Command, Stdio};

/// The folder of a file, in the program that the desktop has for folders.
pub(super) fn open_folder(path: &Path) {
    let opener = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    run(Command::new(opener).arg(path.parent().unwrap_or(path)));
}

/// A web page, in the browser. Nothing but web pages: other addresses could start any program.
pub(super) fn open_link(link: &str) {
    if !is_web(link) {
        return;
    }
    match std::env::consts::OS {
        "macos" => run(Command::new("open").arg(link)),
        "windows" => run(Command::new("rundll32").args(["url.dll,FileProtocolHandler", link])),
        _ => run(Command::new("xdg-open").arg(link)),
    }
}

fn is_web(link: &str) -> bool {
    let web = link.starts_with("https://") || link.starts_with("http://");
    web && link.chars().all(|c| c.is_ascii_graphic() && !"\"'`<>{}|\\^".contains(c))
}

fn run(command: &mut Command) {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = quiet.status() {
        tracing::debug!(%error, "the desktop shows nothing");
    }
}

#[cfg(test)]
mod tests {
    use super::is_web;

    #[test]
    fn nothing_but_web_pages_is_opened() {
        assert!(is_web("https://example.org/a?b=c&d#e") && is_web("http://10.0.0.2:80/"));
        for link in
            ["", "file:///etc/passwd", "/bin/sh", "https", "javascript:alert(1)", "http://a b", "https://a\"b", "-x"]
        {
            assert!(!is_web(link), "{link}");
        }
    }
}
