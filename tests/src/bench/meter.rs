//! What the kernel says of a process: processor time and resident memory, from `/proc`.

use anyhow::Context as _;
use serde::Serialize;

/// Ticks in a second of `/proc/PID/stat`: 100 on Linux, whatever the kernel's own rate.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has used so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Used {
    /// Processor time of all its threads in seconds, user and system.
    pub cpu_seconds: f64,
    /// Resident memory now, in KiB.
    pub resident_kib: u64,
    /// Most resident memory so far, in KiB.
    pub peak_kib: u64,
}

/// Reads what a process has used.
pub fn read(process: u32) -> anyhow::Result<Used> {
    let file = |name: &str| {
        let path = format!("/proc/{process}/{name}");
        std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {path}: has the process ended?"))
    };
    let status = file("status")?;
    Ok(Used {
        cpu_seconds: cpu_seconds(&file("stat")?).context("/proc/PID/stat is laid out otherwise")?,
        resident_kib: kib(&status, "VmRSS:").context("/proc/PID/status has no VmRSS")?,
        peak_kib: kib(&status, "VmHWM:").context("/proc/PID/status has no VmHWM")?,
    })
}

/// Processor time of a process's first thread in nanoseconds: finer than [`read`], for runs of tenths of
/// a second on one thread.
pub fn cpu_nanoseconds(process: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/schedstat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let first = text.split(' ').next().and_then(|field| field.parse().ok());
    first.with_context(|| format!("{path} is laid out otherwise"))
}

/// Processor time within a line of `/proc/PID/stat`: fields 14 and 15, counted after the name, which
/// may contain anything but ends with the last bracket.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(f64::from(user + system) / TICKS_PER_SECOND)
}

fn kib(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_a_name_with_brackets() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 8 0 100 1000 200";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("nothing"), None);
    }

    #[test]
    fn this_process_uses_memory_and_busy_work_shows() -> anyhow::Result<()> {
        let before = read(std::process::id())?;
        let begun = std::time::Instant::now();
        let mut sum = 0_u64;
        while begun.elapsed().as_millis() < 200 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let after = read(std::process::id())?;
        assert!(after.cpu_seconds > before.cpu_seconds);
        assert!(after.resident_kib > 0 && after.peak_kib >= after.resident_kib);
        Ok(())
    }
}
