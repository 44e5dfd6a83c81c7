//! Which messages hold some words: the folded texts of the history in memory, scanned from end to end.
//!
//! The texts lie sealed on the disk, so an index of words there would either leak them or cost more than this scan:
//! a million short messages are less than 100 MB, and a substring search reads some GB a second.
//!
//! The texts stand in segments that never move or grow, because a vector that grows leaves copies of its content
//! behind; what is removed is overwritten at once, and a segment is wiped before it is given back. Each text ends with
//! a byte that UTF-8 never has, so no match reaches from one text into the next, and a whole segment is searched at
//! once without regard to where messages end.
//!
//! Nothing here reads a clock, a disk or a source of randomness, and the answers depend on the calls alone.

mod words;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::size_of;

use memchr::memmem::Finder;
use zeroize::{Zeroize, Zeroizing};

pub(super) use words::Words;
use words::fold;

/// Texts are kept in pieces of this size; a message that is longer has a piece of its own.
const SEGMENT_BYTES: usize = 1024 * 1024;
/// A segment is written to again when at least this part of it is free.
const REUSE_DIVISOR: usize = 8;
/// Ends each text, and covers removed ones. UTF-8 has no such byte.
const END: u8 = 0xff;
/// What an entry costs beside its text.
const ENTRY_BYTES: usize = size_of::<Entry>() + size_of::<u32>();
/// What the map from rows to entries costs a row at most: its nodes are never less than 5/11 full.
const ROW_BYTES: usize = 40;
/// The same for the set of rows that are not indexed.
const UNINDEXED_BYTES: usize = 24;

/// Where a message stands in the history. Places are ordered as the history is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// When it was stored, in ms since 1970, as the history orders it.
    pub(super) order_ms: i64,
    /// Its number within its peer and direction.
    pub(super) seq: i64,
    /// Its row in the database, which names it here.
    pub(super) row: i64,
}

impl Place {
    const FIRST: Place = Place { order_ms: i64::MIN, seq: i64::MIN, row: i64::MIN };
    const LAST: Place = Place { order_ms: i64::MAX, seq: i64::MAX, row: i64::MAX };
}

/// The texts of the history, to be searched.
///
/// The limit covers the texts and what keeps them in order. A message that would pass it is not taken, and its row is
/// remembered: see [`Index::unindexed`].
pub(super) struct Index {
    bytes_max: usize,
    segment_bytes: usize,
    segments: Vec<Segment>,
    /// The segment that takes new texts.
    current: usize,
    rows: BTreeMap<i64, Spot>,
    unindexed: BTreeSet<i64>,
    /// What the segments take together.
    segments_memory: usize,
}

/// Where the entry of a row is.
#[derive(Clone, Copy)]
struct Spot {
    segment: u32,
    entry: u32,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index")
            .field("entries", &self.len())
            .field("unindexed", &self.unindexed.len())
            .field("memory_bytes", &self.memory_bytes())
            .finish_non_exhaustive()
    }
}

impl Index {
    /// An empty index that takes at most `bytes_max` bytes of memory, and no message if that is less than a segment
    /// (1 MiB).
    pub(super) fn new(bytes_max: usize) -> Index {
        Index::with_segments(bytes_max, SEGMENT_BYTES)
    }

    fn with_segments(bytes_max: usize, segment_bytes: usize) -> Index {
        Index {
            bytes_max,
            segment_bytes,
            segments: Vec::new(),
            current: 0,
            rows: BTreeMap::new(),
            unindexed: BTreeSet::new(),
            segments_memory: 0,
        }
    }

    /// The number of messages that are indexed.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The memory that is taken, in bytes, rounded up where maps of the standard library do not tell. The rows that
    /// are not indexed are counted too, though the limit does not hold them back.
    pub(super) fn memory_bytes(&self) -> usize {
        self.indexed_memory() + self.unindexed.len() * UNINDEXED_BYTES
    }

    fn indexed_memory(&self) -> usize {
        self.segments_memory + self.rows.len() * ROW_BYTES
    }

    /// Whether every message that was put is indexed.
    pub(super) fn is_whole(&self) -> bool {
        self.unindexed.is_empty()
    }

    /// The rows that the limit kept out, in order: [`Index::find`] knows nothing of them, so whoever searches looks at
    /// them another way. A row leaves this list when it is put again and taken, or removed. Whoever loads a long
    /// history newest first may rather stop at the first refusal, and remember how far it came.
    #[cfg(test)]
    pub(super) fn unindexed(&self) -> impl Iterator<Item = i64> + '_ {
        self.unindexed.iter().copied()
    }

    /// Adds the message at `place`, or replaces what was put with the same row. `false`: the limit keeps it out; what
    /// was put before with that row is then gone as well, because it holds no longer.
    pub(super) fn put(&mut self, place: Place, conversation: u32, texts: &[&str]) -> bool {
        let texts: Vec<Zeroizing<String>> = texts.iter().map(|text| fold(text)).collect();
        if let Some(&spot) = self.rows.get(&place.row)
            && self.segments[spot.segment as usize].overwrite(spot.entry as usize, place, conversation, &texts)
        {
            return true;
        }
        self.remove(place.row);
        let taken = self.add(place, conversation, &texts);
        if !taken {
            self.unindexed.insert(place.row);
        }
        taken
    }

    /// Forgets the message of that row, if it is known, and wipes its texts.
    pub(super) fn remove(&mut self, row: i64) {
        self.unindexed.remove(&row);
        let Some(spot) = self.rows.remove(&row) else { return };
        let number = spot.segment as usize;
        let segment = &mut self.segments[number];
        segment.bury(spot.entry as usize);
        if segment.dead_weight * 2 > segment.weight() {
            self.reclaim(number);
        }
    }

    /// The `limit` newest (or oldest) messages strictly after `after` and before `before`, of one conversation or of
    /// all, that have `words` within one of their texts; in that order.
    ///
    /// `words` are one substring, as [`Words`] says.
    pub(super) fn find(
        &self,
        conversation: Option<u32>,
        words: &str,
        before: Option<Place>,
        after: Option<Place>,
        newest_first: bool,
        limit: usize,
    ) -> Vec<Place> {
        if limit == 0 {
            return Vec::new();
        }
        let words = Words::new(words);
        let finder = Finder::new(words.folded.as_bytes());
        let window = Window { conversation, before, after };
        let mut best = Best { kept: Vec::new(), limit, newest_first, worst: None };
        // Messages come mostly in order, so the first segments hold the best, and the rest need not be read.
        let mut segments: Vec<&Segment> = self.segments.iter().filter(|segment| window.meets(segment)).collect();
        segments.sort_unstable_by(|a, b| compare(newest_first, &a.foremost(newest_first), &b.foremost(newest_first)));
        for segment in segments {
            if !best.wants(&segment.foremost(newest_first)) {
                break;
            }
            segment.scan(&finder, &window, &mut best);
            best.settle();
        }
        best.into_sorted()
    }

    fn add(&mut self, place: Place, conversation: u32, texts: &[Zeroizing<String>]) -> bool {
        let bytes = stored_bytes(texts);
        // Offsets within a segment are kept in 32 bits.
        if u32::try_from(bytes.max(self.segment_bytes)).is_err() {
            return false;
        }
        let number = self.segment_with_room(bytes);
        let cost = match number {
            Some(number) => self.segments[number].cost_of_entry(),
            None => Segment::cost_of_new(bytes.max(self.segment_bytes)),
        };
        if self.indexed_memory().saturating_add(cost).saturating_add(ROW_BYTES) > self.bytes_max {
            return false;
        }
        let number = number.unwrap_or_else(|| self.new_segment(bytes.max(self.segment_bytes)));
        if number != self.current {
            self.change(self.current, Segment::close);
            self.current = number;
        }
        let entry = self.change(number, |segment| segment.push(place, conversation, texts));
        self.rows.insert(place.row, Spot { segment: number as u32, entry });
        true
    }

    /// The segment that takes the next `bytes` bytes, if there is one: the current, or that with the most room.
    fn segment_with_room(&self, bytes: usize) -> Option<usize> {
        if self.segments.get(self.current).is_some_and(|segment| segment.room() >= bytes) {
            return Some(self.current);
        }
        let (number, segment) = self.segments.iter().enumerate().max_by_key(|(_, segment)| segment.room())?;
        // A segment with little room would soon be left again, and each change costs.
        (segment.room() >= bytes.max(self.segment_bytes / REUSE_DIVISOR)).then_some(number)
    }

    /// Makes a segment, in the place of one that was given back if there is one.
    fn new_segment(&mut self, bytes: usize) -> usize {
        let segment = Segment::new(bytes);
        self.segments_memory += segment.memory_bytes();
        match self.segments.iter().position(|segment| segment.texts.capacity() == 0) {
            Some(number) => {
                self.segments_memory -= self.segments[number].memory_bytes();
                self.segments[number] = segment;
                number
            }
            None => {
                self.segments.push(segment);
                self.segments.len() - 1
            }
        }
    }

    /// Takes the removed texts out of a segment. Where another has room for those that are left, they move there, and
    /// the segment is given back.
    fn reclaim(&mut self, number: usize) {
        self.change(number, Segment::compact);
        let Some(host) = self.host_for(number) else {
            self.respot(number, 0);
            return;
        };
        let moved = self.change(number, |segment| std::mem::replace(segment, Segment::new(0)));
        let first = self.segments[host].entries.len();
        self.change(host, |host| host.append(&moved));
        self.respot(host, first);
    }

    /// Another segment with room for all of this one. The current segment stays, because new texts will fill it.
    fn host_for(&self, number: usize) -> Option<usize> {
        if number == self.current {
            return None;
        }
        let others = self.segments.iter().enumerate().filter(|&(other, _)| other != number);
        let (host, segment) = others.max_by_key(|(_, segment)| segment.room())?;
        (segment.room() >= self.segments[number].texts.len()).then_some(host)
    }

    /// Notes where the entries of a segment from `first` on are now.
    fn respot(&mut self, number: usize, first: usize) {
        for (entry, kept) in self.segments[number].entries.iter().enumerate().skip(first) {
            if kept.is_live {
                self.rows.insert(kept.place.row, Spot { segment: number as u32, entry: entry as u32 });
            }
        }
    }

    /// Changes a segment and keeps count of its memory.
    fn change<R>(&mut self, number: usize, change: impl FnOnce(&mut Segment) -> R) -> R {
        let segment = &mut self.segments[number];
        self.segments_memory -= segment.memory_bytes();
        let result = change(segment);
        self.segments_memory += segment.memory_bytes();
        result
    }
}

/// The texts of some messages, one behind the other, in memory that never moves.
struct Segment {
    /// Its capacity is set once.
    texts: Zeroizing<Vec<u8>>,
    /// Where the texts of each entry start; they end where the next one's start.
    starts: Vec<u32>,
    entries: Vec<Entry>,
    /// The part of [`Segment::weight`] that removed entries have.
    dead_weight: usize,
    /// No entry is older than this.
    oldest: Place,
    /// No entry is newer than this.
    newest: Place,
}

#[derive(Clone, Copy)]
struct Entry {
    place: Place,
    conversation: u32,
    is_live: bool,
}

impl Segment {
    fn new(bytes: usize) -> Segment {
        Segment {
            texts: Zeroizing::new(Vec::with_capacity(bytes)),
            starts: Vec::new(),
            entries: Vec::new(),
            dead_weight: 0,
            oldest: Place::LAST,
            newest: Place::FIRST,
        }
    }

    fn room(&self) -> usize {
        self.texts.capacity() - self.texts.len()
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Segment>()
            + self.texts.capacity()
            + self.starts.capacity() * size_of::<u32>()
            + self.entries.capacity() * size_of::<Entry>()
    }

    /// What one more entry costs, beside the room for its text.
    fn cost_of_entry(&self) -> usize {
        match self.entries.len() < self.entries.capacity() && self.starts.len() < self.starts.capacity() {
            true => 0,
            // A full vector doubles.
            false => self.entries.capacity().max(self.starts.capacity()).max(4) * ENTRY_BYTES,
        }
    }

    fn cost_of_new(bytes: usize) -> usize {
        size_of::<Segment>() + bytes + 4 * ENTRY_BYTES
    }

    /// What there is to copy when removed texts are taken out.
    fn weight(&self) -> usize {
        self.texts.len() + self.entries.len() * ENTRY_BYTES
    }

    /// The best place that an entry can have.
    fn foremost(&self, newest_first: bool) -> Place {
        if newest_first { self.newest } else { self.oldest }
    }

    fn range(&self, entry: usize) -> std::ops::Range<usize> {
        let end = self.starts.get(entry + 1).map_or(self.texts.len(), |&end| end as usize);
        self.starts[entry] as usize..end
    }

    fn push(&mut self, place: Place, conversation: u32, texts: &[Zeroizing<String>]) -> u32 {
        debug_assert!(stored_bytes(texts) <= self.room());
        self.starts.push(self.texts.len() as u32);
        for text in texts {
            self.texts.extend_from_slice(text.as_bytes());
            self.texts.push(END);
        }
        if texts.is_empty() {
            // Every entry has a byte of its own, by which it is found.
            self.texts.push(END);
        }
        self.entries.push(Entry { place, conversation, is_live: true });
        self.widen(place);
        (self.entries.len() - 1) as u32
    }

    /// Puts other texts in the place of an entry's if they are as long, as they are when only its place is new.
    fn overwrite(&mut self, entry: usize, place: Place, conversation: u32, texts: &[Zeroizing<String>]) -> bool {
        let range = self.range(entry);
        if range.len() != stored_bytes(texts) {
            return false;
        }
        let room = &mut self.texts[range];
        room.fill(END);
        let mut at = 0;
        for text in texts {
            room[at..at + text.len()].copy_from_slice(text.as_bytes());
            at += text.len() + 1;
        }
        self.entries[entry] = Entry { place, conversation, is_live: true };
        self.widen(place);
        true
    }

    fn widen(&mut self, place: Place) {
        self.oldest = self.oldest.min(place);
        self.newest = self.newest.max(place);
    }

    fn bury(&mut self, entry: usize) {
        let range = self.range(entry);
        self.dead_weight += range.len() + ENTRY_BYTES;
        self.texts[range].fill(END);
        self.entries[entry].is_live = false;
    }

    /// Moves what is left over what was removed, and wipes the end.
    fn compact(&mut self) {
        (self.oldest, self.newest, self.dead_weight) = (Place::LAST, Place::FIRST, 0);
        let (mut kept, mut length) = (0, 0);
        for entry in 0..self.entries.len() {
            if self.entries[entry].is_live {
                let range = self.range(entry);
                let bytes = range.len();
                self.texts.copy_within(range, length);
                // Entries to come read only starts that are not overwritten yet: `kept` is never past `entry`.
                self.starts[kept] = length as u32;
                self.entries.swap(kept, entry);
                self.widen(self.entries[kept].place);
                kept += 1;
                length += bytes;
            }
        }
        self.texts[length..].zeroize();
        self.texts.truncate(length);
        self.starts.truncate(kept);
        self.entries.truncate(kept);
    }

    /// Takes over the entries of a segment without removed ones.
    fn append(&mut self, from: &Segment) {
        debug_assert!(from.texts.len() <= self.room() && from.dead_weight == 0);
        let base = self.texts.len() as u32;
        self.texts.extend_from_slice(&from.texts);
        // No more than what `from` gives back.
        self.starts.reserve_exact(from.starts.len());
        self.starts.extend(from.starts.iter().map(|start| base + start));
        self.entries.reserve_exact(from.entries.len());
        self.entries.extend_from_slice(&from.entries);
        self.oldest = self.oldest.min(from.oldest);
        self.newest = self.newest.max(from.newest);
    }

    /// Gives back what entries to come would have used.
    fn close(&mut self) {
        self.starts.shrink_to_fit();
        self.entries.shrink_to_fit();
    }

    /// Offers `best` every entry within `window` that has what `finder` seeks.
    fn scan(&self, finder: &Finder<'_>, window: &Window, best: &mut Best) {
        let (mut at, mut number) = (0, 0);
        while at < self.texts.len()
            && let Some(hit) = finder.find(&self.texts[at..])
        {
            number = self.entry_at(number, at + hit);
            let entry = &self.entries[number];
            if entry.is_live && window.takes(entry) {
                best.offer(entry.place);
            }
            // One match is enough.
            at = self.range(number).end;
        }
    }

    /// The entry that has the byte at `offset`; it is not before `from`. Looks near `from` first: where every message
    /// matches, the next one is it.
    fn entry_at(&self, from: usize, offset: usize) -> usize {
        let starts = &self.starts[from..];
        let mut step = 1;
        while starts.get(step).is_some_and(|&start| start as usize <= offset) {
            step *= 2;
        }
        let near = &starts[step / 2..starts.len().min(step)];
        from + step / 2 + near.partition_point(|&start| start as usize <= offset) - 1
    }
}

/// Which entries a search is about.
struct Window {
    conversation: Option<u32>,
    before: Option<Place>,
    after: Option<Place>,
}

impl Window {
    fn takes(&self, entry: &Entry) -> bool {
        self.conversation.is_none_or(|conversation| conversation == entry.conversation)
            && self.before.is_none_or(|before| entry.place < before)
            && self.after.is_none_or(|after| entry.place > after)
    }

    /// Whether the segment may have entries before and after the bounds.
    fn meets(&self, segment: &Segment) -> bool {
        !segment.entries.is_empty()
            && self.before.is_none_or(|before| segment.oldest < before)
            && self.after.is_none_or(|after| segment.newest > after)
    }
}

/// The best `limit` of the places offered: up to twice as many are kept before the worse half is cut off, so that
/// each costs the same however many there are.
struct Best {
    kept: Vec<Place>,
    limit: usize,
    newest_first: bool,
    /// The worst of the first `limit`, once there have been that many.
    worst: Option<Place>,
}

impl Best {
    fn wants(&self, place: &Place) -> bool {
        self.worst.is_none_or(|worst| compare(self.newest_first, place, &worst).is_lt())
    }

    fn offer(&mut self, place: Place) {
        if self.wants(&place) {
            self.kept.push(place);
            if self.kept.len() >= self.limit.saturating_mul(2) {
                self.settle();
            }
        }
    }

    fn settle(&mut self) {
        if self.kept.len() > self.limit || (self.kept.len() == self.limit && self.worst.is_none()) {
            let newest_first = self.newest_first;
            let (_, worst, _) = self.kept.select_nth_unstable_by(self.limit - 1, |a, b| compare(newest_first, a, b));
            self.worst = Some(*worst);
            self.kept.truncate(self.limit);
        }
    }

    fn into_sorted(mut self) -> Vec<Place> {
        self.settle();
        self.kept.sort_unstable();
        if self.newest_first {
            self.kept.reverse();
        }
        self.kept
    }
}

/// The better place comes first.
fn compare(newest_first: bool, a: &Place, b: &Place) -> Ordering {
    if newest_first { b.cmp(a) } else { a.cmp(b) }
}

/// What the texts of one message take: each has a byte that ends it.
fn stored_bytes(texts: &[Zeroizing<String>]) -> usize {
    texts.iter().map(|text| text.len() + 1).sum::<usize>().max(1)
}

#[cfg(test)]
mod tests;
