//! Several processes on one folder, one of them killed.

use super::*;

/// Runs one of the `child_…` tests below in a process of its own, in `folder`.
fn child(test: &str, folder: &Path) -> Child {
    // the crate's name is no part of a test's name
    let module = module_path!().split_once("::").unwrap().1;
    let name = format!("{module}::{test}");
    Command::new(std::env::current_exe().unwrap())
        .args([name.as_str(), "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("MIYU_TEST_STORE", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The next line of a child that starts with `mark`, without it.
fn next(lines: &mut impl BufRead, mark: &str) -> Option<String> {
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        if let Some(rest) = line.trim().strip_prefix(mark) {
            return Some(rest.to_owned());
        }
        line.clear();
    }
    None
}

fn child_folder() -> Option<PathBuf> {
    std::env::var_os("MIYU_TEST_STORE").map(PathBuf::from)
}

#[test]
#[ignore = "a process of another test"]
#[allow(clippy::print_stdout)]
fn child_stores() {
    let Some(folder) = child_folder() else { return };
    let store = Store::open(&folder, &owner()).unwrap();
    let body = bytes(1, 300_000);
    for n in 1..60_000 {
        store.enqueue(text(n), NOW, None).unwrap();
        println!("\n@out {n}");
        let (_, new) = match n % 10 {
            0 => commit(&store, n, &body),
            _ => commit(&store, n, &body[..usize::from(n) % 1000]),
        };
        assert!(new);
        println!("\n@in {n}");
    }
}

#[test]
fn what_a_killed_process_said_to_be_stored_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    Store::open(folder.path(), &owner()).unwrap();
    let mut process = child("child_stores", folder.path());
    let mut lines = BufReader::new(process.stdout.take().unwrap());
    let mut said = BTreeSet::new();
    while said.len() < 101 {
        said.insert(next(&mut lines, "@").expect("the child goes on"));
    }
    process.kill().unwrap();
    while let Some(more) = next(&mut lines, "@") {
        said.insert(more);
    }
    process.wait().unwrap();
    let store = Store::open(folder.path(), &owner()).unwrap();
    for what in &said {
        let (way, n) = what.split_once(' ').unwrap();
        let way = if way == "in" { Direction::In } else { Direction::Out };
        let found = store.message(&peer(1), way, &id(n.parse().unwrap())).unwrap();
        let found = found.unwrap_or_else(|| panic!("{what} was said to be stored"));
        let body = store.body(&found).unwrap().read_all(1_000_000).unwrap();
        assert_eq!(sm3::digest(&body), found.sm3);
    }
    let stored = store.page(&query(None, None, 1000, None)).unwrap().len();
    assert!((said.len()..=said.len() + 1).contains(&stored), "{stored} rows, {} said", said.len());
}

#[test]
#[ignore = "a process of another test"]
#[allow(clippy::print_stdout)]
fn child_claims() {
    let Some(folder) = child_folder() else { return };
    let store = Store::open(&folder, &owner()).unwrap();
    println!("\n@ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    // twice as often as there is anything to claim
    for _ in 0..100 {
        let owner = std::process::id().to_le_bytes()[0];
        let page = store.claim(&peer(1), lease(owner, NOW + 1), NOW, 2).unwrap();
        if page.is_empty() {
            break;
        }
        for message in page {
            println!("\n@{}", message.seq);
        }
    }
}

#[test]
fn two_processes_that_claim_at_once_get_each_message_once() {
    let (_folder, store) = open();
    for n in 1..=100 {
        store.enqueue(text(n), NOW, None).unwrap();
    }
    let mut processes: Vec<Child> = (0..2).map(|_| child("child_claims", store.folder())).collect();
    let mut outputs: Vec<_> =
        processes.iter_mut().map(|process| BufReader::new(process.stdout.take().unwrap())).collect();
    for lines in &mut outputs {
        assert_eq!(next(lines, "@").as_deref(), Some("ready"));
    }
    for process in &mut processes {
        drop(process.stdin.take());
    }
    let mut all = Vec::new();
    for lines in &mut outputs {
        while let Some(seq) = next(lines, "@") {
            all.push(seq.parse::<u64>().unwrap());
        }
    }
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    all.sort_unstable();
    assert_eq!(all, (1..=100).collect::<Vec<u64>>());
}

#[test]
#[ignore = "a process of another test"]
#[allow(clippy::print_stdout)]
fn child_locks() {
    let Some(folder) = child_folder() else { return };
    let _lock = lock_long_lived(&folder).unwrap();
    println!("\n@locked");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn two_long_lived_processes_on_one_folder_are_refused_by_pid() {
    let folder = tempfile::tempdir().unwrap();
    let own = lock_long_lived(folder.path()).unwrap();
    let error = lock_long_lived(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
    drop(own);
    let mut process = child("child_locks", folder.path());
    let mut lines = BufReader::new(process.stdout.take().unwrap());
    assert_eq!(next(&mut lines, "@").as_deref(), Some("locked"));
    let error = lock_long_lived(folder.path()).unwrap_err();
    assert!(error.to_string().ends_with(&format!("in use by process {}", process.id())), "{error}");
    assert!(error.hint().unwrap().contains("--data"));
    // a one-shot works beside it
    Store::open(folder.path(), &owner()).unwrap().enqueue(text(1), NOW, None).unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    lock_long_lived(folder.path()).unwrap();
}

#[test]
#[ignore = "a process of another test"]
#[allow(clippy::print_stdout)]
fn child_lives() {
    let Some(folder) = child_folder() else { return };
    let store = Store::open(&folder, &owner()).unwrap();
    let _alive = store.announce(&[7; 16]).unwrap();
    store.enqueue(text(1), NOW, Some(lease(7, NOW + 30_000))).unwrap();
    assert_eq!(store.claim(&peer(1), lease(7, NOW + 30_000), NOW, 9).unwrap().len(), 1, "the one that nobody has");
    println!("\n@claimed");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn what_a_killed_process_had_claimed_is_free_at_once() {
    let (_folder, store) = open();
    store.enqueue(text(2), NOW, None).unwrap();
    let own = store.announce(&[1; 16]).unwrap();
    store.enqueue(text(3), NOW, Some(lease(1, NOW + 30_000))).unwrap();
    let claim = |owner| -> Vec<u64> {
        store.claim(&peer(1), lease(owner, NOW + 30_000), NOW, 9).unwrap().iter().map(|message| message.seq).collect()
    };
    let mut process = child("child_lives", store.folder());
    let mut lines = BufReader::new(process.stdout.take().unwrap());
    assert_eq!(next(&mut lines, "@").as_deref(), Some("claimed"));
    assert_eq!((store.release_dead().unwrap(), claim(1)), (0, vec![]), "it is alive, and so are we");
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(claim(1), [0; 0], "nobody has looked yet");
    assert_eq!((store.release_dead().unwrap(), claim(1)), (2, vec![1, 3]));
    // one that goes without a word is dead too, in whatever process it was
    drop(own);
    assert_eq!((store.release_dead().unwrap(), claim(9)), (3, vec![1, 2, 3]));
    assert_eq!(store.release_dead().unwrap(), 0, "an owner that never said that it lives keeps its lease");
    assert!(files_in(&store.folder().join("live")).is_empty());
}
