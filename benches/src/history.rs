//! The history beside the same tables in plain SQLite, without seals: storing with the durability of a receipt, and a
//! history of a million messages that is opened, indexed and searched.
//!
//! The rival has the same columns and indexes, the same settings of SQLite, and the same way of sharing a sync between
//! writers: what is left is what sealing and its tally cost.

mod plain;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use miyu::crypto::sm2::SecretKey;
use miyu::identity::{Identity, PeerId};
use miyu::store::{Body, Kind, MessageId, NewOutgoing, Place, Query, Store};

use crate::paired::Series;
use crate::process;
use crate::report::{Row, Unit};
use plain::Plain;

const ROUNDS: u32 = 7;
/// Messages of one turn, one at a time.
const ALONE: u64 = 200;
/// Messages of one turn, and how many are under way at one time.
const TOGETHER: u64 = 6_400;
const IN_FLIGHT: u64 = 64;
/// The long history.
const MESSAGES: u64 = 1_000_000;
const PAGE: usize = 50;
/// The word of the environment by which the bench calls itself, to measure in a fresh process.
pub(crate) const CHILD: &str = "MIYU_BENCH_HISTORY";

/// Where messages go: sealed, or plain.
trait Sink: Sync {
    fn put(&self, number: u64) -> Result<()>;
}

impl Sink for Store {
    fn put(&self, number: u64) -> Result<()> {
        let new = NewOutgoing {
            id: id(number),
            peer: peer(),
            kind: Kind::Text,
            text: None,
            hidden: None,
            name: None,
            mime: None,
            target: None,
            body: Body::Text(text(number)),
        };
        self.enqueue(new, time_ms(number), None)?;
        Ok(())
    }
}

pub(crate) fn durable(rounds: Option<u32>) -> Result<Vec<Row>> {
    let cases = [("stored durably, one at a time", 1, ALONE), ("stored durably, 64 in flight", IN_FLIGHT, TOGETHER)];
    let names = ["miyu", "plain SQLite"];
    let mut figures = cases.map(|_| names.map(Series::new));
    for round in 0..rounds.unwrap_or(ROUNDS) as usize {
        for (case, (_, threads, count)) in cases.iter().enumerate() {
            for turn in 0..2 {
                let who = (round + turn) % 2;
                let folder = tempfile::tempdir()?;
                let sink: Box<dyn Sink> = match who {
                    0 => Box::new(Store::open(folder.path(), &owner())?),
                    _ => Box::new(Plain::open(folder.path())?),
                };
                let begun = Instant::now();
                fill(sink.as_ref(), *threads, *count)?;
                figures[case][who].figures.push(*count as f64 / begun.elapsed().as_secs_f64());
            }
        }
    }
    let path = miyu::crypto::gcm::Backend::chosen().name();
    let rows = cases.iter().zip(&figures);
    Ok(rows.map(|((case, ..), both)| Row::beside(case, path, Unit::PerSecond, &both[0], &both[1])).collect())
}

fn fill(sink: &dyn Sink, threads: u64, count: u64) -> Result<()> {
    std::thread::scope(|scope| {
        let work = |thread: u64| (thread..count).step_by(threads as usize).try_for_each(|number| sink.put(number));
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a writer died"))?)
    })
}

/// A million messages, looked at by a process that has done nothing else.
pub(crate) fn long() -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let sealed = folder.path().join("sealed");
    let plain = folder.path().join("plain");
    eprintln!("bench: making a history of {MESSAGES} messages twice; some minutes");
    fill(&Store::open(&sealed, &owner())?, IN_FLIGHT, MESSAGES)?;
    fill(&Plain::open(&plain)?, IN_FLIGHT, MESSAGES)?;
    let told = Command::new(std::env::current_exe()?).env(CHILD, folder.path()).output()?;
    ensure!(told.status.success(), "the measuring process failed: {}", String::from_utf8_lossy(&told.stderr));
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).context("what the measuring process said")?;
    let path = miyu::crypto::gcm::Backend::chosen().name();
    let series = |name: &str, key: &str| -> Result<Series> {
        let mut series = Series::new(name);
        let list = told[key].as_array().with_context(|| format!("no {key}"))?;
        series.figures.extend(list.iter().filter_map(serde_json::Value::as_f64));
        Ok(series)
    };
    let alone =
        |case: &str, unit, key: &str| -> Result<Row> { Ok(Row::alone(case, path, unit, &series("miyu", key)?)) };
    Ok(vec![
        Row::beside(
            "1,000,000 messages: opened, first page",
            path,
            Unit::Milliseconds,
            &series("miyu", "open_ms")?,
            &series("plain SQLite", "plain_open_ms")?,
        ),
        Row::beside(
            "1,000,000 messages: a page in the middle",
            path,
            Unit::Milliseconds,
            &series("miyu", "page_ms")?,
            &series("plain SQLite", "plain_page_ms")?,
        ),
        alone("memory above an empty history, first page", Unit::Mebibytes, "open_mib")?,
        alone("the index for the first search, built", Unit::Seconds, "index_s")?,
        alone("memory above an empty history, with the index", Unit::Mebibytes, "index_mib")?,
        alone("search, a common word, 50 newest", Unit::Milliseconds, "common_ms")?,
        alone("search, a rare word", Unit::Milliseconds, "rare_ms")?,
        alone("search, a word that is not there", Unit::Milliseconds, "absent_ms")?,
        alone("everything opened and the tally checked", Unit::Seconds, "check_s")?,
    ])
}

/// The measuring process: figures of the folder to stdout.
pub(crate) fn child(folder: &Path) -> Result<()> {
    let empty = tempfile::tempdir()?;
    let store = Store::open(empty.path(), &owner())?;
    first_page(&store)?;
    drop(store);
    let before = process::resident_mib(std::process::id())?;
    let mut figures = serde_json::Map::new();
    let mut add = |key: &str, values: Vec<f64>| drop(figures.insert(key.to_owned(), serde_json::json!(values)));
    let (mut open, mut plain_open, mut page, mut plain_page) = (vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let begun = Instant::now();
        let store = Store::open(&folder.join("sealed"), &owner())?;
        let newest = first_page(&store)?;
        open.push(ms(begun));
        if round == 0 {
            add("open_mib", vec![process::resident_mib(std::process::id())? - before]);
        }
        let begun = Instant::now();
        let plain = Plain::open(&folder.join("plain"))?;
        ensure!(plain.page(i64::MAX, PAGE)? == PAGE, "a plain page");
        plain_open.push(ms(begun));
        let middle = time_ms(MESSAGES / 2 + u64::from(round) * 1_000);
        let begun = Instant::now();
        let query = Query { from: Place::Before((middle, newest)), limit: PAGE, ..Query::default() };
        ensure!(store.page(&query)?.len() == PAGE, "a page");
        page.push(ms(begun));
        let begun = Instant::now();
        ensure!(plain.page(middle, PAGE)? == PAGE, "a plain page");
        plain_page.push(ms(begun));
    }
    add("open_ms", open);
    add("plain_open_ms", plain_open);
    add("page_ms", page);
    add("plain_page_ms", plain_page);
    let store = Store::open(&folder.join("sealed"), &owner())?;
    let begun = Instant::now();
    store.prepare_search(|| true)?;
    add("index_s", vec![begun.elapsed().as_secs_f64()]);
    add("index_mib", vec![process::resident_mib(std::process::id())? - before]);
    for (key, words, wanted) in
        [("common_ms", "水壶", PAGE), ("rare_ms", "number 777777 ", 1), ("absent_ms", "xylophone", 0)]
    {
        let mut times = vec![];
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let found = store.page(&Query { words: Some(words), limit: PAGE, ..Query::default() })?.len();
            times.push(ms(begun));
            ensure!(found == wanted, "{words} was found {found} times");
        }
        add(key, times);
    }
    let begun = Instant::now();
    ensure!(store.check(true, || true)?.is_sound(), "a sound history");
    add("check_s", vec![begun.elapsed().as_secs_f64()]);
    println!("{}", serde_json::Value::Object(figures));
    Ok(())
}

fn first_page(store: &Store) -> Result<MessageId> {
    let page = store.page(&Query { limit: PAGE, ..Query::default() })?;
    Ok(page.last().map_or(MessageId([0; 16]), |message| message.id))
}

pub(crate) fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

pub(crate) fn owner() -> Identity {
    Identity::new(secret())
}

/// A bench needs no secret, and its processes the same one.
pub(crate) fn secret() -> SecretKey {
    SecretKey::from_bytes(&[7; 32]).expect("below the order")
}

fn peer() -> PeerId {
    PeerId::of(&SecretKey::from_bytes(&[8; 32]).expect("below the order").public_key())
}

pub(crate) fn id(number: u64) -> MessageId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    MessageId::new(time_ms(number).unsigned_abs(), random)
}

pub(crate) fn time_ms(number: u64) -> i64 {
    1_800_000_000_000 + 1_000 * number as i64
}

/// Texts as people write them, in two languages; every fourth has the common word.
pub(crate) fn text(number: u64) -> String {
    match number % 4 {
        0 => format!("水壶开了吗？第{number}条，回家的路上买点水果吧"),
        1 => format!("number {number} is on its way, see you at the station at half past six"),
        2 => format!("好的 {number}"),
        _ => format!("I have put the key under the third flower pot, as always ({number}); please water the plants"),
    }
}
