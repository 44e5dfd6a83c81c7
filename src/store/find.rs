//! Finding words in the history: an index of the opened texts, in memory, beside what is sealed on the disk.
//!
//! The index is built at the first search, or before it in the background ([`Store::prepare_search`]), and kept up to date
//! from then on: new rows are read at each search. An edit or a deletion is a row too, and tells which other row to read
//! again. What was deleted without a row of its own (by hand, by age) is not found any more when its row is looked up.

use std::collections::HashMap;
use std::sync::Mutex;

use rusqlite::Connection;

use super::commit::lock;
use super::row::{self, Raw};
use super::search::{self, Index, Words};
use super::{Kind, Message, Place, Query, Store, StoreError, history};
use crate::identity::PeerId;

/// Bytes that the index takes at most. In a history that needs more, a search opens the messages of its range one by one.
const INDEX_BYTES_MAX: usize = 320 * 1024 * 1024;
/// Rows that are read in one go while the index is built: a search that came meanwhile gets its turn in between.
const BATCH_ROWS: i64 = 2_000;

/// The index of one store, and how far it has come.
#[derive(Default)]
pub(super) struct Finder {
    state: Mutex<State>,
}

struct State {
    index: Index,
    /// The last row that was read.
    last_row: i64,
    /// Peers by the numbers that the index has for them.
    peers: HashMap<PeerId, u32>,
}

impl Default for State {
    fn default() -> Self {
        State { index: Index::new(INDEX_BYTES_MAX), last_row: 0, peers: HashMap::new() }
    }
}

impl Store {
    /// Reads all texts for the first search, which is quick then. Gives the bytes that the index takes. Blocking, and
    /// seconds long for a million messages: for a thread of its own. `go_on` is asked now and then.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn prepare_search(&self, mut go_on: impl FnMut() -> bool) -> Result<usize, StoreError> {
        loop {
            // before a reader is taken: whoever waits for the index keeps none from others
            let mut state = lock(&self.inner.finder.state);
            let (more, bytes) = self.read(|connection| {
                let more = self.read_on(connection, &mut state)?;
                Ok((more, state.index.memory_bytes()))
            })?;
            if !more || !go_on() {
                return Ok(bytes);
            }
        }
    }

    /// The messages of a query that have the words in a text of theirs, in the query's direction.
    pub(super) fn search(&self, query: &Query<'_>, words: &str, limit: usize) -> Result<Vec<Message>, StoreError> {
        let mut state = lock(&self.inner.finder.state);
        self.read(|connection| self.search_in(connection, &mut state, query, words, limit))
    }

    fn search_in(
        &self,
        connection: &Connection,
        state: &mut State,
        query: &Query<'_>,
        words: &str,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        while self.read_on(connection, state)? {}
        let peer = match query.peer.map(|peer| state.peers.get(peer).copied()) {
            // nothing was ever stored with them
            Some(None) => return Ok(Vec::new()),
            Some(number) => number,
            None => None,
        };
        if !state.index.is_whole() {
            let words = Words::new(words);
            return self.walk(connection, query, limit, |message| has(message, &words));
        }
        let backward = query.from.is_backward();
        let place = |cursor, rest| -> Result<search::Place, StoreError> {
            let [order_ms, seq, row] = history::place_of(connection, query.peer, cursor, rest)?;
            Ok(search::Place { order_ms, seq, row })
        };
        let (mut before, mut after) = match &query.from {
            Place::Newest | Place::Oldest => (None, None),
            Place::Before(cursor) => (Some(place(cursor, i64::MIN)?), None),
            Place::After(cursor) => (None, Some(place(cursor, i64::MAX)?)),
        };
        let mut found = Vec::new();
        // rows that were deleted since leave room for others
        while found.len() < limit {
            let wanted = limit - found.len();
            let places = state.index.find(peer, words, before, after, backward, wanted);
            let Some(last) = places.last().copied() else { break };
            for place in &places {
                match self.row(connection, place.row)? {
                    Some(message) => found.push(message),
                    None => state.index.remove(place.row),
                }
            }
            if places.len() < wanted {
                break;
            }
            (before, after) = if backward { (Some(last), after) } else { (before, Some(last)) };
        }
        Ok(found)
    }

    /// Reads the next rows into the index; whether there may be more.
    fn read_on(&self, connection: &Connection, state: &mut State) -> Result<bool, StoreError> {
        let sql = format!("SELECT {} FROM messages WHERE row > ?1 ORDER BY row LIMIT {BATCH_ROWS}", row::COLUMNS);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([state.last_row])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let raw = Raw::read(row)?;
            count += 1;
            state.last_row = raw.row;
            match (raw.clear.kind, raw.clear.target) {
                (Kind::Edit, Some(target)) => {
                    if let Some(target) = row::find_raw(connection, &raw.clear.peer, raw.clear.direction, &target.id)? {
                        self.put(state, target);
                    }
                }
                (kind, _) if kind.is_content() => self.put(state, raw),
                _ => {}
            }
        }
        Ok(count == BATCH_ROWS)
    }

    fn put(&self, state: &mut State, raw: Raw) {
        let next = u32::try_from(state.peers.len()).unwrap_or(u32::MAX);
        let peer = *state.peers.entry(raw.clear.peer).or_insert(next);
        let place = search::Place { order_ms: raw.clear.order_ms, seq: row::to_sql(raw.clear.seq), row: raw.row };
        let message = raw.message(self.vault());
        state.index.put(place, peer, &texts(&message));
    }

    fn row(&self, connection: &Connection, row: i64) -> Result<Option<Message>, StoreError> {
        use rusqlite::OptionalExtension;
        let sql = format!("SELECT {} FROM messages WHERE row = ?1", row::COLUMNS);
        let found = connection.prepare_cached(&sql)?.query_row([row], Raw::read).optional()?;
        Ok(found.map(|raw| raw.message(self.vault())))
    }
}

/// The texts of a message that are searched.
fn texts(message: &Message) -> Vec<&str> {
    [&message.text, &message.hidden, &message.name].into_iter().flatten().map(String::as_str).collect()
}

fn has(message: &Message, words: &Words) -> bool {
    words.are_in(&texts(message))
}
