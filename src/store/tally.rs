//! What is stored, summed up under seal, so that a row that was taken away or put back in an older form is noticed.
//!
//! Every row opens only where it stands, which finds whatever was changed, moved or exchanged. A row that is missing has
//! nothing to open: so the number of rows and a keyed sum over their seals are kept too, and change with them in one
//! transaction. (The sum is a multiset hash by exclusive or of a pseudo-random function; it is secret, as its seal is.)

use rusqlite::Connection;

use super::vault::{SEALS_PER_KEY_MAX, Vault};
use super::{StoreError, db};

const PLACE: &[u8] = b"miyu/1 tally";
const TALLY_BYTES: usize = 4 + 8 + 8 + 8 + 16;

/// The sum of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// The number of the key that seals now.
    pub(super) generation: u32,
    /// What it has sealed.
    pub(super) seals: u64,
    /// Sealed rows.
    pub(super) rows: u64,
    /// The number of the newest row that there ever was: numbers are never used again.
    pub(super) last_row: i64,
    /// The sum over the rows' seals.
    pub(super) sum: [u8; 16],
}

impl Tally {
    /// The stored tally.
    pub(super) fn read(connection: &Connection, vault: &Vault) -> Result<Tally, StoreError> {
        let sealed: Vec<u8> = connection.prepare_cached("SELECT sealed FROM tally")?.query_row([], |row| row.get(0))?;
        let plain = vault.open_value(PLACE, &sealed).map_err(|_| db::damaged("its tally was changed"))?;
        Tally::from_bytes(&plain).ok_or_else(|| db::damaged("its tally has a wrong length"))
    }

    /// Stores the tally; the seal of it counts too.
    pub(super) fn write(mut self, connection: &Connection, vault: &Vault) -> Result<(), StoreError> {
        self.count_seal();
        let sealed = vault.seal(self.generation, PLACE, &self.to_bytes());
        connection
            .prepare_cached(
                "INSERT INTO tally VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET sealed = excluded.sealed",
            )?
            .execute([sealed])?;
        Ok(())
    }

    /// Counts one use of the key; the next key comes before a nonce may meet another.
    pub(super) fn count_seal(&mut self) {
        self.seals += 1;
        if self.seals >= SEALS_PER_KEY_MAX {
            self.seals = 1;
            self.generation = self.generation.saturating_add(1);
        }
    }

    /// A row came.
    pub(super) fn add(&mut self, mark: [u8; 16]) {
        self.rows += 1;
        self.toggle(mark);
    }

    /// A row went.
    pub(super) fn remove(&mut self, mark: [u8; 16]) {
        self.rows = self.rows.saturating_sub(1);
        self.toggle(mark);
    }

    fn toggle(&mut self, mark: [u8; 16]) {
        self.sum.iter_mut().zip(mark).for_each(|(sum, mark)| *sum ^= mark);
    }

    fn to_bytes(self) -> [u8; TALLY_BYTES] {
        let mut out = [0; TALLY_BYTES];
        out[..4].copy_from_slice(&self.generation.to_be_bytes());
        out[4..12].copy_from_slice(&self.seals.to_be_bytes());
        out[12..20].copy_from_slice(&self.rows.to_be_bytes());
        out[20..28].copy_from_slice(&self.last_row.to_be_bytes());
        out[28..].copy_from_slice(&self.sum);
        out
    }

    fn from_bytes(bytes: &[u8]) -> Option<Tally> {
        let (generation, rest) = bytes.split_first_chunk::<4>()?;
        let (seals, rest) = rest.split_first_chunk::<8>()?;
        let (rows, rest) = rest.split_first_chunk::<8>()?;
        let (last_row, rest) = rest.split_first_chunk::<8>()?;
        Some(Tally {
            generation: u32::from_be_bytes(*generation),
            seals: u64::from_be_bytes(*seals),
            rows: u64::from_be_bytes(*rows),
            last_row: i64::from_be_bytes(*last_row),
            sum: rest.try_into().ok()?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_comes_back_and_forgets_what_went() {
        let mut tally = Tally { generation: 1, seals: 2, rows: 0, last_row: 4, sum: [0; 16] };
        tally.add([7; 16]);
        tally.add([9; 16]);
        assert_eq!(Tally::from_bytes(&tally.to_bytes()), Some(tally));
        tally.remove([7; 16]);
        assert_eq!((tally.rows, tally.sum), (1, [9; 16]));
        assert_eq!(Tally::from_bytes(&tally.to_bytes()[1..]), None);
    }

    #[test]
    fn a_key_is_changed_before_it_has_sealed_too_much() {
        let mut tally = Tally { seals: SEALS_PER_KEY_MAX - 2, ..Tally::default() };
        tally.count_seal();
        assert_eq!(tally.generation, 0);
        tally.count_seal();
        assert_eq!((tally.generation, tally.seals), (1, 1));
    }
}
