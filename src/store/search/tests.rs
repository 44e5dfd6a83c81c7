//! The index beside a look at every message, its limit, and what it leaves behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::words::FOLD_GROWTH_MAX;
use super::*;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// So small that a few messages fill one.
const SMALL_SEGMENT_BYTES: usize = 64;

fn place(order_ms: i64, seq: i64, row: i64) -> Place {
    Place { order_ms, seq, row }
}

fn rows(found: &[Place]) -> Vec<i64> {
    found.iter().map(|place| place.row).collect()
}

/// The rows of all that have the words, newest first.
fn find_all(index: &Index, words: &str) -> Vec<i64> {
    rows(&index.find(None, words, None, None, true, usize::MAX))
}

/// The same answers by looking at every message, with a folding of its own.
#[derive(Default)]
struct Naive {
    messages: BTreeMap<i64, (Place, u32, Vec<String>)>,
}

impl Naive {
    fn fold(text: &str) -> String {
        let narrow = |c: char| match u32::from(c) {
            code @ 0xff01..=0xff5e => char::from_u32(code - 0xfee0).unwrap(),
            0x3000 => ' ',
            _ => c,
        };
        text.chars().map(narrow).flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
    }

    fn find(&self, conversation: Option<u32>, words: &str, before: Option<Place>, after: Option<Place>) -> Vec<Place> {
        let words = Naive::fold(words.trim());
        let mut found: Vec<Place> = self
            .messages
            .values()
            .filter(|(place, of, texts)| {
                conversation.is_none_or(|wanted| wanted == *of)
                    && before.is_none_or(|before| *place < before)
                    && after.is_none_or(|after| *place > after)
                    && (words.is_empty() || texts.iter().any(|text| Naive::fold(text).contains(&words)))
            })
            .map(|(place, ..)| *place)
            .collect();
        found.sort();
        found
    }
}

/// Few characters, so that words meet by chance: both cases, full width, two and three bytes in UTF-8, characters
/// that share their first bytes, and such as change their length when folded.
const ALPHABET: [&str; 16] = ["a", "A", "b", "Ｂ", " ", "　", "你", "好", "佡", "ß", "SS", "σ", "ς", "Σ", "ΐ", "🎂"];

fn random_text(rng: &mut StdRng, length_max: usize) -> String {
    let length = rng.random_range(0..=length_max);
    (0..length).map(|_| ALPHABET[rng.random_range(0..ALPHABET.len())]).collect()
}

fn random_place(rng: &mut StdRng, row: i64) -> Place {
    place(rng.random_range(-3..40), rng.random_range(0..4), row)
}

/// One step of a history of about 60 messages, half of the time in order of time as a real one is.
fn step(rng: &mut StdRng, index: &mut Index, naive: &mut Naive, refused: &mut BTreeSet<i64>) {
    let row = rng.random_range(0..60);
    if rng.random_bool(0.35) {
        index.remove(row);
        naive.messages.remove(&row);
        refused.remove(&row);
        return;
    }
    let at = if rng.random_bool(0.5) { place(row, 0, row) } else { random_place(rng, row) };
    let conversation = rng.random_range(0..3);
    // Now and then a message is longer than a segment, or is what it was at another place.
    let length_max = if rng.random_bool(0.05) { 60 } else { 8 };
    let texts: Vec<String> = match naive.messages.get(&row) {
        Some((.., texts)) if rng.random_bool(0.3) => texts.clone(),
        _ => (0..rng.random_range(0..4)).map(|_| random_text(rng, length_max)).collect(),
    };
    let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
    if index.put(at, conversation, &borrowed) {
        naive.messages.insert(row, (at, conversation, texts));
        refused.remove(&row);
    } else {
        naive.messages.remove(&row);
        refused.insert(row);
    }
}

fn compare_finds(rng: &mut StdRng, index: &Index, naive: &Naive) {
    let bound = |rng: &mut StdRng| {
        rng.random_bool(0.4).then(|| match naive.messages.values().nth(rng.random_range(0..60)) {
            Some((place, ..)) => *place,
            None => random_place(rng, 30),
        })
    };
    let (before, after) = (bound(rng), bound(rng));
    let conversation = rng.random_bool(0.4).then(|| rng.random_range(0..4));
    let words = random_text(rng, 3);
    let limit = [0, 1, 2, 3, 7, 50, usize::MAX][rng.random_range(0..7)];
    let all = naive.find(conversation, &words, before, after);
    let oldest: Vec<Place> = all.iter().copied().take(limit).collect();
    let newest: Vec<Place> = all.iter().rev().copied().take(limit).collect();
    let context = format!("{words:?} in {conversation:?} before {before:?} after {after:?} limit {limit}");
    assert_eq!(index.find(conversation, &words, before, after, false, limit), oldest, "oldest {context}");
    assert_eq!(index.find(conversation, &words, before, after, true, limit), newest, "newest {context}");
}

/// What must hold whatever was done.
fn check(index: &Index, naive: &Naive, refused: &BTreeSet<i64>) {
    assert_eq!(index.len(), naive.messages.len());
    assert!(index.unindexed().eq(refused.iter().copied()));
    assert_eq!(index.is_whole(), refused.is_empty());
    assert!(index.indexed_memory() <= index.bytes_max, "{index:?}");
    let counted: usize = index.segments.iter().map(Segment::memory_bytes).sum();
    assert_eq!(index.segments_memory, counted);
    for segment in &index.segments {
        assert!(segment.dead_weight * 2 <= segment.weight(), "removed texts were not reclaimed");
    }
}

fn compare_with_naive(seed: u64, bytes_max: usize) -> (usize, usize) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut index = Index::with_segments(bytes_max, SMALL_SEGMENT_BYTES);
    let (mut naive, mut refused) = (Naive::default(), BTreeSet::new());
    let mut refusals = 0;
    for _ in 0..400 {
        step(&mut rng, &mut index, &mut naive, &mut refused);
        check(&index, &naive, &refused);
        refusals += usize::from(!index.is_whole());
        compare_finds(&mut rng, &index, &naive);
    }
    (refusals, index.segments.len())
}

#[test]
fn finds_what_a_look_at_every_message_finds() {
    for seed in 0..150 {
        let (refusals, segments) = compare_with_naive(seed, usize::MAX);
        assert_eq!(refusals, 0);
        assert!(segments > 3, "seed {seed} used {segments} segments only");
    }
}

#[test]
fn a_full_index_says_what_it_left_out_and_finds_the_rest() {
    let mut refusals = 0;
    for seed in 1000..1100 {
        refusals += compare_with_naive(seed, 6_000).0;
    }
    assert!(refusals > 1000, "{refusals} refusals: the limit was hardly met");
}

#[test]
fn a_message_over_the_limit_is_named_until_it_is_taken_or_removed() {
    let texts = ["x".repeat(400)];
    let long = [texts[0].as_str()];
    let mut index = Index::with_segments(1_150, SMALL_SEGMENT_BYTES);
    assert!(index.put(place(1, 0, 1), 0, &long));
    assert!(!index.put(place(2, 0, 2), 0, &long));
    assert!(!index.put(place(3, 0, 3), 0, &long));
    assert!(!index.is_whole());
    assert_eq!(index.unindexed().collect::<Vec<_>>(), [2, 3]);
    index.remove(3);
    assert!(index.put(place(2, 0, 2), 0, &["short"]), "{index:?}");
    assert!(index.is_whole());
    // A replacement that is refused takes what it replaces with it.
    assert!(!index.put(place(2, 0, 2), 0, &long));
    assert!(find_all(&index, "short").is_empty());
    assert_eq!(index.unindexed().collect::<Vec<_>>(), [2]);
}

#[test]
fn an_index_without_room_for_a_segment_takes_nothing() {
    let mut index = Index::new(SEGMENT_BYTES);
    assert!(!index.put(place(1, 0, 1), 0, &["hello"]));
    assert_eq!((index.len(), index.is_whole()), (0, false));
    assert!(find_all(&index, "hello").is_empty());
}

#[test]
fn a_match_lies_within_one_text_and_counts_once() {
    let mut index = Index::new(usize::MAX);
    index.put(place(1, 0, 1), 0, &["ab", "cd", "ab ab"]);
    index.put(place(2, 0, 2), 0, &["cd"]);
    index.put(place(3, 0, 3), 0, &[]);
    index.put(place(4, 0, 4), 0, &["", ""]);
    assert_eq!(find_all(&index, "ab"), [1]);
    assert!(find_all(&index, "bc").is_empty());
    assert_eq!(find_all(&index, "cd"), [2, 1]);
    assert_eq!(find_all(&index, " "), [4, 3, 2, 1]);
    assert_eq!(find_all(&index, "  b a　"), [1]);
}

#[test]
fn order_is_by_time_then_number_then_row() {
    let mut index = Index::new(usize::MAX);
    let inner = [place(5, 1, 9), place(5, 2, 3), place(5, 2, 4), place(6, 0, 1)];
    for at in [2, 0, 3, 1] {
        index.put(inner[at], 0, &["x"]);
    }
    assert_eq!(index.find(None, "x", None, None, false, 9), inner);
    assert_eq!(index.find(None, "x", Some(inner[3]), Some(inner[0]), false, 9), inner[1..3]);
    assert_eq!(index.find(None, "x", Some(inner[3]), None, true, 2), [inner[2], inner[1]]);
}

#[test]
fn a_replaced_text_is_found_no_more() {
    let mut index = Index::new(usize::MAX);
    index.put(place(1, 0, 1), 0, &["first", "of two"]);
    index.put(place(2, 0, 2), 0, &["other"]);
    // As long, elsewhere, in another conversation.
    index.put(place(3, 0, 1), 7, &["fi", "rst, of 2"]);
    assert!(find_all(&index, "first").is_empty());
    assert_eq!(rows(&index.find(Some(7), "RST, OF", None, None, false, 1)), [1]);
    assert_eq!(find_all(&index, ""), [1, 2]);
    // Longer.
    index.put(place(0, 0, 1), 0, &["a longer text than before"]);
    assert!(find_all(&index, "2").is_empty());
    assert_eq!(find_all(&index, ""), [2, 1]);
    assert_eq!(index.len(), 2);
}

/// Everything that the segments hold, removed texts and unused room aside.
fn held(index: &Index) -> Vec<u8> {
    index.segments.iter().flat_map(|segment| segment.texts.iter().copied()).collect()
}

#[test]
fn a_removed_text_is_wiped_at_once() {
    let mut index = Index::new(usize::MAX);
    for row in 0..9 {
        index.put(place(row, 0, row), 0, &[if row == 4 { "secret" } else { "plain" }]);
    }
    assert!(held(&index).windows(6).any(|window| window == b"secret"));
    let length = held(&index).len();
    index.remove(4);
    assert!(!held(&index).windows(6).any(|window| window == b"secret"));
    assert_eq!(held(&index).len(), length, "one in nine should not be worth a move");
}

#[test]
fn removed_messages_give_their_memory_back() {
    let mut index = Index::with_segments(usize::MAX, 4096);
    let text = "x".repeat(50);
    for row in 0..4000 {
        index.put(place(row, 0, row), 0, &[&text]);
    }
    let full = index.memory_bytes();
    for row in (0..4000).filter(|row| row % 8 != 0) {
        index.remove(row);
    }
    assert_eq!(find_all(&index, "x").len(), 500);
    assert!(index.memory_bytes() * 4 < full, "{} of {full} are left", index.memory_bytes());
    for row in 0..4000 {
        index.remove(row);
    }
    assert!(index.memory_bytes() * 20 < full, "{} of {full} are left", index.memory_bytes());
    // What was given back is used again.
    let segments = index.segments.len();
    for row in 0..4000 {
        index.put(place(row, 0, row), 0, &[&text]);
    }
    assert_eq!(index.segments.len(), segments);
    assert_eq!(index.memory_bytes().abs_diff(full) * 10 / full, 0);
}

#[test]
fn the_same_message_over_and_over_takes_no_more_memory() {
    let mut index = Index::with_segments(usize::MAX, 4096);
    index.put(place(0, 0, 0), 0, &["x"]);
    for turn in 1..10_000 {
        index.put(place(1, 0, 1), 0, &["x".repeat(turn % 7).as_str()]);
    }
    assert_eq!((index.len(), index.segments.len()), (2, 1));
}

#[test]
fn folding_forgets_case_and_width() {
    let pairs = [
        ("Straße", "STRASSE"),
        ("STRAẞE", "strasse"),
        ("Οδυσσεύς", "ΟΔΥΣΣΕΎΣ"),
        ("Ｍｉｙｕ　１，２！～", "miyu 1,2!~"),
        ("Ünïcödé", "ÜNÏCÖDÉ"),
        ("Привет", "ПРИВЕТ"),
        ("ﬁn", "FIN"),
    ];
    for (one, other) in pairs {
        assert_eq!(*fold(one), *fold(other), "{one} {other}");
        assert!(Words::new(other).are_in(&["", &format!("«{one}»")]), "{one} {other}");
    }
    for same in ["你好，世界".replace('，', "。"), "國国".to_owned(), "ひらがなカタカナ".to_owned(), "é🎂".to_owned()]
    {
        assert_eq!(*fold(&same), same);
    }
    assert_ne!(*fold("國"), *fold("国"));
    assert_ne!(*fold("é"), *fold("e\u{301}"));
}

#[test]
fn folding_each_character_is_final_and_fits_its_room() {
    for character in '\0'..=char::MAX {
        let text = character.to_string();
        let folded = fold(&text);
        assert_eq!(*fold(&folded), *folded, "{character:?}");
        assert!(folded.len() <= text.len() * FOLD_GROWTH_MAX, "{character:?} grows by more");
        if character != 'ẞ' {
            assert_eq!(*folded, Naive::fold(&text), "{character:?}");
        }
    }
}

#[test]
fn words_are_in_a_message_as_the_index_finds_them() {
    let mut rng = StdRng::seed_from_u64(7);
    let mut found = 0;
    for _ in 0..2_000 {
        let texts = [random_text(&mut rng, 6), random_text(&mut rng, 6)];
        let texts: Vec<&str> = texts.iter().map(String::as_str).take(rng.random_range(0..3)).collect();
        let words = random_text(&mut rng, 2);
        let mut index = Index::with_segments(usize::MAX, SMALL_SEGMENT_BYTES);
        index.put(place(1, 1, 1), 0, &texts);
        let is_in = Words::new(&words).are_in(&texts);
        assert_eq!(is_in, !find_all(&index, &words).is_empty(), "{words:?} in {texts:?}");
        found += usize::from(is_in);
    }
    assert!((200..1_800).contains(&found), "{found} of 2000 matched: the test says little");
}

#[test]
fn debug_shows_no_text() {
    let mut index = Index::new(usize::MAX);
    index.put(place(1, 0, 1), 0, &["sesame"]);
    let shown = format!("{index:?}");
    assert!(shown.contains("entries: 1") && !shown.contains("sesame"), "{shown}");
}
