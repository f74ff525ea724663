//! What the disk itself can do: small appends to a file, each synced, one after the other.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// About what an event of 128 bytes takes in a log.
const APPEND_BYTES: usize = 200;
const MEASURED_FOR: Duration = Duration::from_secs(2);

/// Appends and syncs for a while; the report has the shape of `tidings bench`'s.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn measure(folder: &Path) -> Result<Value, String> {
    let path = folder.join("disk");
    let appends = append_and_sync(&path).map_err(|error| format!("{}: {error}", path.display()));
    drop(fs::remove_file(&path));
    let mut latencies = appends?;
    latencies.sort_unstable();
    let seconds: f64 = latencies.iter().map(Duration::as_secs_f64).sum();
    let p99 = latencies[(latencies.len() - 1) * 99 / 100].as_secs_f64() * 1_000.0;
    #[expect(clippy::cast_precision_loss, reason = "a count of seconds' worth of syncs is far from 2^52")]
    let per_second = latencies.len() as f64 / seconds;
    Ok(json!({"publish": {"per_second": per_second, "latency_ms": {"p99": p99}}}))
}

fn append_and_sync(path: &Path) -> std::io::Result<Vec<Duration>> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create(path)?;
    let (bytes, began) = ([b'x'; APPEND_BYTES], Instant::now());
    let mut latencies = Vec::new();
    while began.elapsed() < MEASURED_FOR || latencies.is_empty() {
        let started = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        latencies.push(started.elapsed());
    }
    Ok(latencies)
}
