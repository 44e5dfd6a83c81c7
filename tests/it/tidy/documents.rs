//! Rules about documents and test vectors: links lead somewhere, and every vector says where it comes from.

use super::Fault;

/// How far into a file its source may be named.
const SOURCE_WITHIN_BYTES: usize = 2_000;

/// The fault of one file below `tests/vectors`: neither it nor a line of that folder's README (`index`) names a
/// source.
pub(crate) fn vector_fault(path: &str, content: &[u8], index: &str) -> Option<Fault> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let head = String::from_utf8_lossy(&content[..content.len().min(SOURCE_WITHIN_BYTES)]).to_lowercase();
    let named_inside = ["source:", "source\":", "source ="].iter().any(|mark| {
        head.split_once(mark)
            .and_then(|(_, rest)| rest.lines().next())
            .is_some_and(|rest| rest.chars().any(char::is_alphanumeric))
    });
    // A file that has no room for words (DER, PEM, pictures) is described beside it.
    let named_beside = index.lines().any(|line| line.contains(name) && line.len() > name.len() + 10);
    (name != "README.md" && !named_inside && !named_beside)
        .then(|| Fault::new(path, 1, "names no source: write `source: …` in it, or a line in tests/vectors/README.md"))
}

/// Links in a Markdown file whose target is not in the repository. `exists` answers for paths below the top.
pub(crate) fn link_faults(path: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<Fault> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut faults = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(line) {
            let outside = target.contains("://") || target.starts_with("mailto:") || target.starts_with('#');
            let file = target.split('#').next().unwrap_or_default();
            if !outside && !below(folder, file).is_some_and(|whole| exists(&whole)) {
                faults.push(Fault::new(path, index + 1, format!("the link to {target} leads nowhere")));
            }
        }
    }
    faults
}

/// The targets of the links in a line: what stands in the brackets of `[…](…)`, a title left out.
fn targets(line: &str) -> Vec<&str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .filter_map(|(target, _)| target.split_whitespace().next())
        .collect()
}

/// `target` as seen from `folder`, as a path below the top; none if it climbs out of the repository.
fn below(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Faults of a table of promises: in each row behind `heading` the last cell names the tests that guard it, as
/// `module::name` or as a command. `is_test` answers for names of functions.
pub(crate) fn guard_faults(path: &str, text: &str, heading: &str, is_test: &dyn Fn(&str) -> bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    let rows = text
        .lines()
        .enumerate()
        .skip_while(|(_, line)| *line != heading)
        .filter(|(_, line)| line.starts_with("| "))
        .skip(2);
    let mut rows_seen = 0;
    for (index, row) in rows {
        rows_seen += 1;
        let guards = row.trim_end_matches(['|', ' ']).rsplit_once(" | ");
        let guards: Vec<&str> = guards.map_or("", |(_, cell)| cell).split('`').skip(1).step_by(2).collect();
        if guards.is_empty() {
            faults.push(Fault::new(path, index + 1, "this promise names no test that guards it"));
        }
        for guard in guards {
            let name = guard.rsplit_once("::").map(|(_, name)| name);
            if name.is_some_and(|name| !is_test(name)) {
                faults.push(Fault::new(path, index + 1, format!("there is no test {guard}")));
            }
        }
    }
    if rows_seen == 0 {
        faults.push(Fault::new(path, 1, format!("no table of promises under {heading:?}")));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_without_source_is_found() {
        let fault = |name: &str, content: &[u8], index: &str| vector_fault(name, content, index).is_some();
        assert!(fault("tests/vectors/a.txt", b"00 11 22\n", ""));
        assert!(fault("tests/vectors/a.txt", b"# source:\n00\n", ""));
        assert!(!fault("tests/vectors/a.txt", b"# Source: GB/T 32905, appendix A\n00\n", ""));
        assert!(!fault("tests/vectors/a.json", b"{\"source\": \"RFC 8998 A.1\"}\n", ""));
        assert!(fault("tests/vectors/a.der", &[0xff, 0], "| b.der | OpenSSL 3.0 |"));
        assert!(!fault("tests/vectors/a.der", &[0xff, 0], "| a.der | OpenSSL 3.0 |"));
        assert!(!fault("tests/vectors/README.md", b"", ""));
    }

    #[test]
    fn promises_without_a_test_are_found() {
        let faults = |rows: &str| {
            let text = format!("## A\n| a | b |\n## B\n| promise | guarded by |\n| --- | --- |\n{rows}");
            let is_test = |name: &str| name == "good";
            guard_faults("a.md", &text, "## B", &is_test).iter().map(|fault| fault.line).collect::<Vec<_>>()
        };
        assert!(faults("| `a` b | `m::good`, `n::good` |\n| c | `./x check` |\n").is_empty());
        assert_eq!(faults("| a | `m::good` |\n| `b` | — |\n"), [7]);
        assert_eq!(faults("| a | `m::good`, `m::bad` |\n"), [6]);
        assert_eq!(faults(""), [1]);
    }

    #[test]
    fn dead_links_are_found() {
        let exists = |path: &str| matches!(path, "README.md" | "docs/a.md" | "docs");
        let faults = |path: &str, text: &str| link_faults(path, text, &exists).len();
        assert_eq!(faults("docs/a.md", "[up](../README.md) and [me](a.md#part \"title\")\n"), 0);
        assert_eq!(faults("README.md", "[a](docs/a.md), [b](https://example.org/x), [c](#here)\n"), 0);
        assert_eq!(faults("README.md", "[a](docs/b.md) [b](docs/a.md) ![c](c.png)\n"), 2);
        assert_eq!(faults("README.md", "[a](../../b.md)\n"), 1);
        assert_eq!(faults("README.md", "```\n[a](docs/b.md)\n```\n[c](d.md)\n"), 1);
    }
}
