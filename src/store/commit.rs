//! Writing: one transaction at a time, shared by all who wait, with one sync for all of them.
//!
//! Whoever is done while others wait for their turn leaves the transaction open to them; the last one commits and tells
//! the rest. So a lone message is on the disk at once, and 64 that come together share one sync. Each has a savepoint of
//! its own: one that fails takes nothing of the others' with it.

use std::cell::RefCell;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::tally::Tally;
use super::vault::Vault;
use super::{StoreError, db};

/// Pieces of work that share a transaction at most.
const BATCH_MEMBERS_MAX: usize = 256;

/// What work within a transaction sees: the connection, and the seals of what it stores.
pub(super) struct Tx<'a> {
    connection: &'a Connection,
    vault: &'a Vault,
    // read when first needed, written before the commit
    tally: RefCell<Option<Tally>>,
}

impl Deref for Tx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'a> Tx<'a> {
    pub(super) fn new(connection: &'a Connection, vault: &'a Vault, tally: Option<Tally>) -> Self {
        Tx { connection, vault, tally: RefCell::new(tally) }
    }

    /// Seals a value of this store.
    pub(super) fn seal(&self, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let generation = self.tally(|tally| {
            tally.count_seal();
            tally.generation
        })?;
        Ok(self.vault.seal(generation, place, plain))
    }

    /// The number of a new row.
    pub(super) fn new_row(&self) -> Result<i64, StoreError> {
        self.tally(|tally| {
            tally.last_row += 1;
            tally.last_row
        })
    }

    /// A sealed row was inserted.
    pub(super) fn added(&self, sealed: &[u8]) -> Result<(), StoreError> {
        let mark = self.vault.mark(sealed);
        self.tally(|tally| tally.add(mark))
    }

    /// A sealed row was deleted, or gets another content.
    pub(super) fn removed(&self, sealed: &[u8]) -> Result<(), StoreError> {
        let mark = self.vault.mark(sealed);
        self.tally(|tally| tally.remove(mark))
    }

    pub(super) fn vault(&self) -> &'a Vault {
        self.vault
    }

    pub(super) fn tally<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> Result<T, StoreError> {
        let mut tally = self.tally.borrow_mut();
        if tally.is_none() {
            *tally = Some(Tally::read(self.connection, self.vault)?);
        }
        match tally.as_mut() {
            Some(tally) => Ok(change(tally)),
            None => Err(db::damaged("it has no tally")),
        }
    }

    pub(super) fn into_tally(self) -> Option<Tally> {
        self.tally.into_inner()
    }
}

/// The connection that writes, and the transaction that is open on it.
struct Writer {
    connection: Connection,
    batch: Option<Batch>,
}

struct Batch {
    verdict: Arc<Verdict>,
    members: usize,
    tally: Option<Tally>,
}

/// What became of a transaction, for all who share it.
#[derive(Default)]
struct Verdict {
    reached: Mutex<Option<Result<(), CommitFault>>>,
    told: Condvar,
}

/// Why a transaction was not committed: for each of its members the same.
#[derive(Clone)]
enum CommitFault {
    Sqlite(rusqlite::ffi::Error, Option<String>),
    Other(String),
}

/// Takes turns at writing.
pub(super) struct Commits {
    writer: Mutex<Writer>,
    waiting: AtomicUsize,
}

impl Commits {
    pub(super) fn new(connection: Connection) -> Commits {
        Commits { writer: Mutex::new(Writer { connection, batch: None }), waiting: AtomicUsize::new(0) }
    }

    /// Runs `work` within a transaction, which is synced to the disk when this returns.
    pub(super) fn write<T>(
        &self,
        vault: &Vault,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut writer = lock(&self.writer);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        let verdict = writer.join()?;
        let outcome = writer.run(vault, work);
        let is_full = writer.batch.as_ref().is_none_or(|batch| batch.members >= BATCH_MEMBERS_MAX);
        if is_full || self.waiting.load(Ordering::SeqCst) == 0 {
            writer.finish(vault);
        }
        drop(writer);
        match (outcome.unwrap_or_else(|panic| resume_unwind(panic)), verdict.wait()) {
            // it may be what ended the transaction, and says more
            (Err(own @ StoreError::Database(_)), _) => Err(own),
            // even a refusal may rest on what another member has written: it holds only once that does
            (outcome, reached) => reached.and(outcome),
        }
    }
}

impl Writer {
    /// Opens a transaction unless one is open.
    fn join(&mut self) -> Result<Arc<Verdict>, StoreError> {
        if let Some(batch) = &mut self.batch {
            batch.members += 1;
            return Ok(Arc::clone(&batch.verdict));
        }
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let verdict = Arc::<Verdict>::default();
        self.batch = Some(Batch { verdict: Arc::clone(&verdict), members: 1, tally: None });
        Ok(verdict)
    }

    /// Does a member's work; a panic of it is given back, for whoever holds the lock to put things in order first.
    fn run<T>(
        &mut self,
        vault: &Vault,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>,
    ) -> std::thread::Result<Result<T, StoreError>> {
        let before = self.batch.as_ref().and_then(|batch| batch.tally);
        if let Err(error) = self.savepoint() {
            return Ok(Err(error));
        }
        let tx = Tx::new(&self.connection, vault, before);
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&tx)));
        let after = tx.into_tally();
        let failed = !matches!(outcome, Ok(Ok(_)));
        if self.connection.is_autocommit() {
            // SQLite itself has rolled back everything, the others' work too
            self.fail(CommitFault::Other("the transaction was rolled back by another's fault".to_owned()));
        } else if failed {
            let undone = self.connection.execute_batch("ROLLBACK TO member; RELEASE member");
            if let Err(error) = undone {
                self.abandon(&error.into());
            }
        } else if let Err(error) = self.release() {
            self.abandon(&error);
        } else if let Some(batch) = &mut self.batch {
            batch.tally = after;
        }
        outcome
    }

    fn savepoint(&self) -> Result<(), StoreError> {
        self.connection.prepare_cached("SAVEPOINT member")?.execute([])?;
        Ok(())
    }

    fn release(&self) -> Result<(), StoreError> {
        self.connection.prepare_cached("RELEASE member")?.execute([])?;
        Ok(())
    }

    /// Commits what is open and tells everybody.
    fn finish(&mut self, vault: &Vault) {
        let Some(batch) = &self.batch else { return };
        let summed = batch.tally.map_or(Ok(()), |tally| tally.write(&self.connection, vault));
        let committed = summed.and_then(|()| {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(())
        });
        match committed {
            Ok(()) => self.tell(Ok(())),
            Err(error) => {
                self.roll_back();
                self.supersede(vault);
                self.fail(CommitFault::of(&error));
            }
        }
    }

    /// Rolls everything back.
    fn abandon(&mut self, error: &StoreError) {
        self.roll_back();
        self.fail(CommitFault::of(error));
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // a transaction that cannot even be rolled back ends with the connection
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// A commit whose sync failed stands whole in the log, and the next process would take it for one that holds, although
    /// everybody here was told that it does not. What is written next takes its place: that is done at once, and works
    /// even where its own sync fails too. (The tally gets a fresh nonce, so that a page differs.)
    fn supersede(&self, vault: &Vault) {
        let again = || -> Result<(), StoreError> {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            Tally::read(&self.connection, vault)?.write(&self.connection, vault)?;
            Ok(self.connection.execute_batch("COMMIT")?)
        };
        if again().is_err() {
            self.roll_back();
        }
    }

    fn fail(&mut self, fault: CommitFault) {
        self.tell(Err(fault));
    }

    fn tell(&mut self, result: Result<(), CommitFault>) {
        if let Some(batch) = self.batch.take() {
            *lock(&batch.verdict.reached) = Some(result);
            batch.verdict.told.notify_all();
        }
    }
}

impl Verdict {
    fn wait(&self) -> Result<(), StoreError> {
        let mut reached = lock(&self.reached);
        loop {
            match &*reached {
                Some(Ok(())) => return Ok(()),
                Some(Err(fault)) => return Err(fault.error()),
                None => reached = self.told.wait(reached).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl CommitFault {
    fn of(error: &StoreError) -> CommitFault {
        match error {
            StoreError::Database(rusqlite::Error::SqliteFailure(code, words)) => {
                CommitFault::Sqlite(*code, words.clone())
            }
            other => CommitFault::Other(other.to_string()),
        }
    }

    fn error(&self) -> StoreError {
        match self {
            CommitFault::Sqlite(code, words) => {
                StoreError::Database(rusqlite::Error::SqliteFailure(*code, words.clone()))
            }
            CommitFault::Other(words) => StoreError::NotCommitted { detail: words.clone() },
        }
    }
}

/// A panic while a lock was held has rolled back what it had begun: what the lock guards is good.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
