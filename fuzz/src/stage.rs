//! A node for the targets that play streams: kept over many inputs, as it takes long to make.

use std::sync::{Mutex, PoisonError};

use miyu::crypto::sm2::SecretKey;
use miyu::identity::Identity;
use miyu::node::script::Stage;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Duration;

/// Inputs that one store sees: rows that are never deleted would slow it down.
const INPUTS_MAX: u64 = 2_000;
/// Handshakes that are tried for one stage: where other work leaves the fuzzer no time, one may take too long.
const TRIES_MAX: u32 = 10;

/// A stage, the runtime that plays on it, and a number that no input before had.
pub struct Theatre {
    pub stage: Stage,
    pub number: u64,
    /// Its clock stands still while there is work, and leaps when there is none.
    runtime: Option<Runtime>,
    // the connection lives in it
    _network: Runtime,
    _folder: TempDir,
}

static THEATRE: Mutex<Option<Theatre>> = Mutex::new(None);

/// Plays one input.
pub fn play<F: AsyncFnOnce(&mut Theatre)>(act: F) {
    let mut kept = THEATRE.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.as_ref().is_some_and(|theatre| theatre.number >= INPUTS_MAX) {
        *kept = None;
    }
    let theatre = kept.get_or_insert_with(open);
    theatre.number += 1;
    let runtime = theatre.runtime.take().expect("an act is over before the next begins");
    runtime.block_on(act(theatre));
    theatre.runtime = Some(runtime);
}

fn open() -> Theatre {
    let identity = |number: u8| Identity::new(SecretKey::from_bytes(&[number; 32]).expect("within the order"));
    let folder = TempDir::with_prefix("miyu-fuzz-").expect("a temporary folder");
    let network = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let data = |number: u32| folder.path().join(format!("data-{number}"));
    let try_to = |number| network.block_on(Stage::new(&identity(1), &identity(2), &data(number)));
    let stage = (1..TRIES_MAX).find_map(|number| try_to(number).ok()).map_or_else(|| try_to(TRIES_MAX), Ok);
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    Theatre { stage: stage.expect("a node"), number: 0, runtime: Some(runtime), _network: network, _folder: folder }
}

/// Until every task waits for the peer or for the clock: only then does the clock go on.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Time goes by.
pub async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
